# syntax=docker/dockerfile:1
FROM node:22-slim AS page
WORKDIR /src
COPY explorer explorer
COPY schema.graphql ./
RUN cd explorer && npm ci && npm run build && node compress.mjs ../meshline/explorer_page

FROM python:3.12-slim AS build
RUN pip install --no-cache-dir "uv>=0.5,<1"
WORKDIR /src
COPY pyproject.toml uv.lock README.md LICENSE hatch_build.py ./
COPY meshline meshline
COPY --from=page /src/meshline/explorer_page meshline/explorer_page
COPY examples examples
# Not editable: the virtual environment alone is copied into the image that runs. With bytecode: its user may not write it.
RUN UV_PROJECT_ENVIRONMENT=/opt/meshline uv sync --frozen --no-dev --no-editable --extra all --compile-bytecode
# The kernels are compiled once, here, for any processor of the architecture: those of the machine that runs may be others.
ENV NUMBA_CPU_NAME=generic
RUN /opt/meshline/bin/python -c "from meshline.graph.index import LineageIndex; from meshline.graph.index.kernels.jit import compile_kernels; compile_kernels()"

FROM python:3.12-slim
RUN useradd --create-home --uid 10001 meshline && mkdir /data && chown meshline /data
COPY --from=build /opt/meshline /opt/meshline
ENV PATH=/opt/meshline/bin:$PATH MESHLINE_STORE=sqlite:////data/meshline.db NUMBA_CPU_NAME=generic
# Settings (tokens) are read from /data/meshline.toml, if it is there.
WORKDIR /data
USER meshline
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/readyz', timeout=2)"]
# Others reach this address, so it asks for tokens, or to be told that it need not: docs/operations.md.
ENTRYPOINT ["meshline"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8080"]
