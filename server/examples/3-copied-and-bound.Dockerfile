# syntax=docker/dockerfile:1
FROM alpine:3.20
WORKDIR /app
COPY id_rsa /root/.ssh/
COPY .env .
RUN --mount=type=bind,source=./mysecret.txt,target=/app/secret.txt ./deploy.sh --token-file /app/secret.txt
