# One image for every role; the command says which. Runs read-only, as a user without rights.
FROM python:3.12-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
RUN python -m venv /opt/followup
COPY requirements/base.lock requirements/base.lock
RUN /opt/followup/bin/pip install --require-hashes -r requirements/base.lock
COPY pyproject.toml README.md LICENSE ./
COPY followup followup
COPY web web
COPY migrations migrations
RUN /opt/followup/bin/pip install --no-deps --no-build-isolation --no-index . \
    && /opt/followup/bin/python -m compileall -q /opt/followup/lib

FROM python:3.12-slim
ENV PATH=/opt/followup/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin followup
COPY --from=build /opt/followup /opt/followup
USER 10001
WORKDIR /tmp
EXPOSE 8000
# No --access-logfile: an access log would hold patients' links.
CMD ["gunicorn", "--bind", "0.0.0.0:8000", "--workers", "2", "--threads", "4", "--worker-tmp-dir", "/dev/shm", "web:create_app()"]
