# Muster in a container: one static binary and the certificates it checks others' by. PostgreSQL
# runs beside it, see docker-compose.yml.
FROM golang:1.26.8-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /muster ./cmd/muster

FROM alpine:3.22
RUN apk add --no-cache ca-certificates tzdata \
 && addgroup -S -g 2525 muster \
 && adduser -S -u 2525 -G muster -h /var/lib/muster muster
COPY --from=build /muster /usr/local/bin/muster
USER muster
VOLUME /var/lib/muster
ENV MUSTER_DATA_DIR=/var/lib/muster \
    MUSTER_SMTP_LISTEN=0.0.0.0:2525 \
    MUSTER_HTTP_LISTEN=0.0.0.0:8080
EXPOSE 2525 8080
# In a container of its own every client comes from another address, and none is trusted for it.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8080/healthz"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["muster"]
CMD ["serve"]
