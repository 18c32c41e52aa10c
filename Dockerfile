# Builds for linux/amd64 and linux/arm64: nothing is compiled, every dependency comes as a wheel.
# docs/operations.md tells how to run it. A private package index is handed to the build, and
# stays out of the image, with: --secret id=pip.conf,src=PATH
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
ENV PIP_CONFIG_FILE=/run/secrets/pip.conf \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore
RUN python3 -m venv /opt/zimun-sync
WORKDIR /src
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY connectors connectors
COPY zimun_sync zimun_sync
ARG EXTRAS=all
RUN --mount=type=secret,id=pip.conf \
    /opt/zimun-sync/bin/pip install --no-cache-dir --only-binary=:all: \
        --constraint=constraints.txt ".[${EXTRAS}]" \
    && /opt/zimun-sync/bin/pip check \
    && /opt/zimun-sync/bin/pip uninstall --yes pip
COPY deploy/container/healthcheck.py /opt/zimun-sync/healthcheck.py

FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=
ARG CREATED=
LABEL org.opencontainers.image.title="zimun-sync" \
      org.opencontainers.image.description="Keeps a business's own tools true to its Zimun bookings" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
RUN groupadd --gid 10001 zimun-sync \
    && useradd --uid 10001 --gid 10001 --home-dir /data --no-create-home \
        --shell /usr/sbin/nologin zimun-sync \
    && install --directory --mode=0750 --owner=10001 --group=10001 /data
COPY --from=build /opt/zimun-sync /opt/zimun-sync
# These win over the file: a container that listens on its own loopback serves nobody, and the
# health check has to know the port.
ENV PATH=/opt/zimun-sync/bin:$PATH \
    HOME=/data \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    ZIMUN_SYNC_SERVER__HOST=0.0.0.0 \
    ZIMUN_SYNC_SERVER__PORT=8090 \
    ZIMUN_SYNC_SERVER__ADMIN_HOST=0.0.0.0
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=5m --retries=3 \
    CMD ["python", "/opt/zimun-sync/healthcheck.py"]
ENTRYPOINT ["zimun-sync"]
CMD ["serve"]
