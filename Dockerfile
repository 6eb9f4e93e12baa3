# The service on the offline cloud, for localstack/docker-compose.yml. AWS runs a zip (deploy/package.py), not this
# image.
FROM node:22.20-slim AS console

WORKDIR /srv/restcalculator
COPY docs docs
COPY console console
RUN cd console && npm ci --no-audit --no-fund && npm run --silent build

FROM python:3.13-slim

WORKDIR /srv/restcalculator
COPY requirements-dev.txt .
RUN pip install --no-cache-dir --compile --requirement requirements-dev.txt \
    && useradd --create-home service \
    && install --directory --owner=service .data

COPY serverless.yml pyproject.toml ./
COPY deploy deploy
COPY docs docs
COPY functions functions
COPY localstack localstack
COPY migrations migrations
COPY resources resources
COPY shared shared
COPY webhooks webhooks
COPY worker worker
COPY --from=console /srv/restcalculator/build build
RUN python -m compileall -q .

USER service
ENV HOST=0.0.0.0 PORT=8080 PYTHONUNBUFFERED=1
EXPOSE 8080
HEALTHCHECK --interval=2s --start-period=30s --retries=15 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8080/health', timeout=2)"]
CMD ["python", "-m", "localstack.run", "up"]
