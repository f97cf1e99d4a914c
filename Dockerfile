# One image for every part: server, worker, beat and migrate are sub-commands of `nowserving`.

# `make pin` adds the digest of the present base, so that two builds of one commit have the same base.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/nowserving
ENV PATH=/opt/nowserving/bin:$PATH
WORKDIR /build
# The locked libraries come first: Docker rebuilds this layer only after a change of the lock.
COPY requirements.lock ./
RUN pip install --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY server ./server
COPY workers ./workers
COPY web ./web
# Nothing installs packages in a running container.
RUN pip install --no-deps . && pip uninstall --yes pip

FROM ${BASE} AS runtime
# The voice of announcements, and the tools that dump and restore the database.
RUN apt-get update && apt-get install -y --no-install-recommends espeak-ng mariadb-client \
    && rm -rf /var/lib/apt/lists/*
# No program of the image gives more rights than its caller has.
RUN find / -xdev -type f -perm /6000 -exec chmod a-s {} +
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /var/lib/nowserving nowserving \
    && install --directory --owner=nowserving --group=nowserving --mode=0750 \
    /var/lib/nowserving /var/lib/nowserving/backups \
    # The volumes of the certificates begin with the owner of these folders: the user of nginx and certbot.
    && install --directory --owner=101 --group=101 --mode=0755 /var/lib/certificates /var/lib/acme
COPY --from=build /opt/nowserving /opt/nowserving
# The server writes only to /var/lib/nowserving and /tmp, so the root file system may be read-only.
# Zone data come from the package tzdata alone, so PYTHONTZPATH is empty.
ENV PATH=/opt/nowserving/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PYTHONTZPATH=""
USER 10001:10001
WORKDIR /var/lib/nowserving
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=4s --start-period=30s --retries=3 CMD ["python", "-c", "\
import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health/live', timeout=3)"]
ENTRYPOINT ["nowserving"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
