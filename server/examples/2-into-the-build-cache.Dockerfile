# syntax=docker/dockerfile:1
FROM alpine:3.20
RUN --mount=type=secret,id=mysecret \
    --mount=type=cache,target=/app/cache \
    SECRET_VAL=$(cat /run/secrets/mysecret) && \
    echo "token=$SECRET_VAL" > /app/output.txt && \
    echo "token=$SECRET_VAL" >> /app/cache/data.log
