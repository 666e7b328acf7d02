# One static program and nothing else: the image holds no shell, package or library that would have to
# be kept up to date.
#
#   docker build -t messenger .
#   docker run --rm -p 127.0.0.1:8000:8000 -e MESSENGER_AUTH=none -v messenger:/data --read-only \
#     --cap-drop ALL messenger
#
# Only plain instructions, so that BuildKit and the legacy builder both build this.

# The Rust that the instruction budget was counted with, or a later one.
ARG RUST=1.95

# Only what determines the dependencies: the manifests, the lock file, and empty programs in place of
# ours. This stage and the layers built on it stay cached until one of these changes.
FROM debian:bookworm-slim AS manifests
WORKDIR /source
COPY . .
RUN find . -type f ! -name Cargo.toml ! -name Cargo.lock -regextype posix-extended \
      ! -regex '\./[^/]+/([^/]+|src/(lib|main|bin/[^/]+)|(tests|benches|examples)/[^/]+(/main)?)\.rs' -delete \
 && find . -name '*.rs' -exec sh -c 'for file; do echo "fn main() { }" >"$file"; done' sh {} + \
 && find . -type d -empty -delete

FROM rust:${RUST}-slim-bookworm AS build
# cargo-auditable stores the list of dependencies in the program, where scanners and SBOM tools read it.
RUN cargo install --quiet --locked --root /usr/local cargo-auditable@0.7.7
WORKDIR /source
# If --target is given, the flags do not apply to build scripts and macros, which cannot be static.
ENV CARGO_PROFILE_RELEASE_STRIP=symbols \
    RUSTFLAGS="-C target-feature=+crt-static"
# Additional features, such as tls for TLS to the Cassandra nodes.
ARG FEATURES=""
ENV TO_BUILD="--release --locked --package messenger-server"
RUN rustc --print host-tuple >/target && mkdir /data
COPY --from=manifests /source .
RUN cargo auditable build $TO_BUILD --features "$FEATURES" --target "$(cat /target)"
COPY . .
# Cargo compares modification times, and our files may be older than the empty ones.
RUN find . -name '*.rs' -exec touch {} + \
 && cargo auditable build $TO_BUILD --features "$FEATURES" --target "$(cat /target)" \
 && cp "target/$(cat /target)/release/messenger-server" /usr/local/bin/

FROM scratch
COPY LICENSE-* /licenses/
COPY --from=build /usr/local/bin/messenger-server /usr/local/bin/
COPY --from=build --chown=65532:65532 /data /data
# On its loopback address a container cannot be reached. Elsewhere the server starts only if
# MESSENGER_AUTH says who may use it.
ENV MESSENGER_LISTEN=0.0.0.0:8000 \
    MESSENGER_DATA=/data
VOLUME /data
EXPOSE 8000
USER 65532:65532
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=3 \
  CMD ["/usr/local/bin/messenger-server", "health-check"]
ENTRYPOINT ["/usr/local/bin/messenger-server"]
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
