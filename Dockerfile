# The program alone, static, with tract as its engine: docker run --rm -v "$PWD:/models" dropout-onnx audit /models
FROM rust:1.92-alpine AS build
# hadolint ignore=DL3018
RUN apk add --no-cache musl-dev
WORKDIR /source
COPY Cargo.toml Cargo.lock README.md CHANGELOG.md ./
COPY benches benches
COPY docs docs
COPY src src
COPY tests tests
RUN cargo build --locked --release --bin dropout-onnx

FROM scratch
COPY --from=build /source/target/release/dropout-onnx /dropout-onnx
COPY LICENSE-MIT LICENSE-APACHE /
USER 65534:65534
WORKDIR /tmp
ENTRYPOINT ["/dropout-onnx"]
