# syntax=docker/dockerfile:1
FROM alpine:3.20
WORKDIR /app
RUN --mount=type=secret,id=mysecret SECRET=$(cat /run/secrets/mysecret) && echo "Secret is $SECRET" >> /app/secret.txt
