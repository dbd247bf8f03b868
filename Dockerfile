# The base needs python3 (3.11 to 3.14) on its PATH, with venv or pip; nothing else is taken from it.
ARG BASE=python:3.12-slim

FROM ${BASE} AS build
WORKDIR /src

# Two environments: /build has pip and hatchling and stays behind; /opt/exporter is what ships, without either.
RUN { python3 -m venv /build || python3 -m venv --clear --without-pip --system-site-packages /build; } \
 && python3 -m venv --without-pip /opt/exporter

# Dependencies before sources: editing the package does not install them again.
COPY requirements.txt requirements-build.txt ./
RUN /build/bin/python -m pip install --no-cache-dir --disable-pip-version-check --require-hashes \
      -r requirements-build.txt \
 && /build/bin/python -m pip --python /opt/exporter/bin/python install --no-cache-dir --no-compile \
      --disable-pip-version-check --require-hashes -r requirements.txt

COPY pyproject.toml README.md LICENSE config.example.yaml ./
COPY exporter exporter
RUN /build/bin/python -m pip wheel --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation \
      --wheel-dir /dist . \
 && /build/bin/python -m pip --python /opt/exporter/bin/python install --no-cache-dir --no-compile \
      --disable-pip-version-check --no-deps --no-index /dist/*.whl

# Compiled here because the running container writes nothing. Unchecked: the sources cannot change, so start-up
# need not look at each of them.
RUN /opt/exporter/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/exporter/lib

FROM ${BASE}
COPY --from=build /opt/exporter /opt/exporter

# PYTHONSAFEPATH: a file beside the catalog must never be imported in place of a module.
ENV PATH=/opt/exporter/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PYTHONSAFEPATH=1 \
    EXPORTER_CONFIG=/etc/exporter/config.yaml
WORKDIR /etc/exporter

# A number and not a name, so that an orchestrator can see that it is not root.
USER 65532:65532
EXPOSE 9877
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-m", "exporter", "healthcheck"]
ENTRYPOINT ["python", "-m", "exporter"]
CMD ["run"]

# Last, because they change with every build.
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="pageforge-exporter" \
      org.opencontainers.image.description="One service catalog in; health metrics, dashboards, alerts and deploy files out." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
