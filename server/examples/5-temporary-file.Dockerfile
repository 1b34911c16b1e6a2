# syntax=docker/dockerfile:1
FROM alpine:3.20
RUN --mount=type=secret,id=mysecret \
    TEMP_FILE=$(mktemp) && \
    cat /run/secrets/mysecret > "$TEMP_FILE" && \
    wc -c "$TEMP_FILE"
RUN --mount=type=secret,id=mysecret cp /run/secrets/mysecret /app/key
RUN rm -f /app/key
