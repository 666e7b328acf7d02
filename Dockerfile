# The server, and the generator of test data: two static programs and nothing else. The image holds
# no shell, no package and no library that would have to be kept up to date.
#
#   docker build -t messenger .
#   docker run --rm -p 127.0.0.1:8000:8000 --read-only --cap-drop ALL messenger
#
# Only plain layers, so that BuildKit and the builder before it both build this.

# The oldest Rust that is supported, as in Cargo.toml, or a later one.
ARG RUST=1.95

# What decides over the dependencies, and nothing else: the manifests, the lock, and empty programs
# in the place of ours. It stays the same until one of these changes, and so do the layers on it.
FROM debian:bookworm-slim AS manifests
WORKDIR /source
COPY . .
RUN find . -type f ! -name Cargo.toml ! -name Cargo.lock -regextype posix-extended \
      ! -regex '\./[^/]+/([^/]+|src/(lib|main|bin/[^/]+)|(tests|benches|examples)/[^/]+(/main)?)\.rs' -delete \
 && find . -name '*.rs' -exec sh -c 'for file; do echo "fn main() { }" >"$file"; done' sh {} + \
 && find . -type d -empty -delete

FROM rust:${RUST}-slim-bookworm AS build
# cargo-auditable writes the list of dependencies into a program: scanners and SBOMs read it there.
RUN cargo install --quiet --locked --root /usr/local cargo-auditable@0.7.7
WORKDIR /source
# With a target named, the flags are not those of build scripts and macros, which cannot be static.
ENV CARGO_PROFILE_RELEASE_STRIP=symbols \
    RUSTFLAGS="-C target-feature=+crt-static"
# Further features, such as messenger-cassandra/tls for TLS to the nodes.
ARG FEATURES=""
ENV TO_BUILD="--release --locked --package examples --example server --example generate"
RUN rustc --print host-tuple >/target
COPY --from=manifests /source .
RUN cargo auditable build $TO_BUILD --features "$FEATURES" --target "$(cat /target)"
COPY . .
# Cargo goes by the time of files, and ours may be older than the empty ones.
RUN find . -name '*.rs' -exec touch {} + \
 && cargo auditable build $TO_BUILD --features "$FEATURES" --target "$(cat /target)" \
 && cp "target/$(cat /target)/release/examples/server" \
       "target/$(cat /target)/release/examples/generate" /usr/local/bin/

FROM scratch
COPY LICENSE-* /licenses/
COPY --from=build /usr/local/bin/server /usr/local/bin/generate /usr/local/bin/
# In a container, "this machine alone" would be nobody: who may reach the server is up to the port
# that is published, or to the network policy.
ENV MESSENGER_LISTEN=0.0.0.0:8000
EXPOSE 8000
USER 65532:65532
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=3 \
  CMD ["/usr/local/bin/server", "--health-check"]
ENTRYPOINT ["/usr/local/bin/server"]
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED
ARG SOURCE
LABEL org.opencontainers.image.title="messenger" \
      org.opencontainers.image.description="One-to-one messages, conversations and inboxes over HTTP" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.created="$CREATED" \
      org.opencontainers.image.source="$SOURCE"
