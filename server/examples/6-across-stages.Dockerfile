# syntax=docker/dockerfile:1
FROM alpine:3.20 AS build
RUN mkdir /out && echo built > /out/app
RUN --mount=type=secret,id=mysecret cat /run/secrets/mysecret > /out/token

FROM alpine:3.20
COPY --from=build /out /opt/app
