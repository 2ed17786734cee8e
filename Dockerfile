# The server as a container: `stackmentor serve`, all settings from STACKMENTOR_* variables.
# Apply the schema first, as a job with the same image: `stackmentor migrate up`.

FROM python:3.11-slim AS build
WORKDIR /build
COPY requirements.lock ./
RUN python -m venv /opt/stackmentor
RUN /opt/stackmentor/bin/python -m pip install --no-cache-dir --require-hashes --only-binary :all: --requirement requirements.lock
COPY pyproject.toml ./
COPY schema ./schema
COPY src ./src
RUN /opt/stackmentor/bin/python -m pip install --no-cache-dir --no-deps --no-build-isolation .
RUN /opt/stackmentor/bin/python -m pip uninstall --yes setuptools pip

FROM python:3.11-slim
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin stackmentor
COPY --from=build /opt/stackmentor /opt/stackmentor
ENV PATH="/opt/stackmentor/bin:$PATH" PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ.get(\"STACKMENTOR_PORT\") or 8080}/actuator/health/liveness', timeout=2)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["stackmentor"]
CMD ["serve"]
