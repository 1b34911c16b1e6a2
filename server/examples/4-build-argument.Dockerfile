FROM node:22
WORKDIR /app
ARG NPM_TOKEN
COPY package*.json ./
RUN echo "//registry.example.org/:_authToken=$NPM_TOKEN" > .npmrc && npm ci && rm -f .npmrc
ENV DB_PASSWORD=not-a-real-password
CMD ["node", "server.js"]
