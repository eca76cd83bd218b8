# Ringfence as an image: Node, production dependencies, dist/. Nothing else, nothing as root.
#   docker build -t ringfence .
#   docker run --read-only --tmpfs /run/ringfence:uid=10777 -v ./config/compose:/etc/ringfence:ro ringfence
# BASE must bring Node.js 24 or newer and npm.
ARG BASE=node:24-slim

FROM ${BASE} AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY tsconfig.json ./
COPY scripts/tsconfig.build.json scripts/
COPY src src
RUN node_modules/.bin/tsc -p scripts/tsconfig.build.json

FROM ${BASE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Optional dependencies are Node itself, which the base has; install scripts would run what nobody reviewed.
RUN npm ci --omit=dev --omit=optional --ignore-scripts

FROM ${BASE}
ENV NODE_ENV=production
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /build/dist dist
COPY package.json LICENSE ./
# A number, so that runAsNonRoot can be verified. Not 1000, which workloads usually take: in a shared network namespace a
# firewall rule by owner (`meta skuid != 10777 drop`) then forces the workload's egress through the proxy.
USER 10777:10777
# Inbound, egress, health. The root file system may be read-only: only /run/ringfence (admin socket) is written to.
EXPOSE 8080 3128 9900
ENV RINGFENCE_LIVEZ=http://127.0.0.1:9900/livez
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 \
  CMD ["node", "-e", "fetch(process.env.RINGFENCE_LIVEZ).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# As in the first line of main.js: garbage is collected in smaller pieces, which a sidecar pays for with nothing.
ENTRYPOINT ["node", "--max-semi-space-size=4", "dist/main.js"]
CMD ["run", "--config", "/etc/ringfence/ringfence.yaml"]
