# The status page in one container: `docker build -t statuspage . && docker run -p 8000:8000 -v statuspage:/data statuspage`
# The console listens on 8002 in the container; publish that port only where operators are (-p 127.0.0.1:8002:8002).
# tests/test_dockerfile.py runs these steps one by one as a shell script.

FROM python:3.12-slim AS build
WORKDIR /src
COPY requirements-build.lock requirements.lock ./
# The tools that build stay in this stage; the final image has neither pip nor compiler.
RUN python -m venv /opt/tools
RUN /opt/tools/bin/python -m pip install --quiet --require-hashes -r requirements-build.lock
RUN /opt/tools/bin/python -m pip wheel --quiet --require-hashes --no-build-isolation --use-pep517 --wheel-dir /wheels -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY statuspage/ statuspage/
COPY probes/ probes/
COPY templates/ templates/
COPY examples/demo-wallet.yaml examples/
RUN /opt/tools/bin/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /wheels .
RUN python -m venv --without-pip /opt/statuspage
RUN /opt/tools/bin/python -m pip --python /opt/statuspage/bin/python install --quiet --no-index --no-deps --compile /wheels/*.whl

FROM python:3.12-slim
COPY --from=build /opt/statuspage /opt/statuspage
# A number, not a name: Kubernetes' runAsNonRoot can check it. Only the data folder belongs to it.
RUN install -d -o 10001 -g 10001 -m 0750 /data
ENV PATH=/opt/statuspage/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/data \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    STATUSPAGE_DATA=/data \
    STATUSPAGE_LOG_FORMAT=json \
    HOST=0.0.0.0 \
    PORT=8000 \
    CONSOLE_HOST=0.0.0.0 \
    CONSOLE_PORT=8002
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000 8002
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 CMD python -c "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ['PORT'] + '/healthz', timeout=4)"
CMD ["statuspage", "serve"]
