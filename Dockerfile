# The dependencies are installed in one stage and copied into the next, so the image has no pip cache and no build files.
# Both stages start from one image, pinned by its digest. `docker buildx imagetools inspect python:3.13-slim` shows the
# newest one.
FROM python:3.13-slim@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b AS dependencies
COPY requirements.lock .
RUN python -m venv /opt/venv \
    && /opt/venv/bin/python -m pip install --no-cache-dir --no-deps --require-hashes -r requirements.lock

FROM python:3.13-slim@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    HOST=0.0.0.0 PORT=3000 DATABASE_URL=sqlite:////data/usergems.db
RUN useradd --system --uid 10001 --home-dir /app usergems \
    && install --directory --owner=usergems --mode=700 /data
COPY --from=dependencies /opt/venv /opt/venv
WORKDIR /app
COPY app.py manifest.json ./
COPY domain domain
COPY listeners listeners
COPY services services
COPY store store
COPY sandbox sandbox
# The app's user cannot write, so each start would compile all modules again.
RUN python -m compileall -q .
# A checkout with a strict umask has files that only its owner can read.
RUN chmod -R a+rX,go-w /app
USER usergems
# The SQLite database and its key; empty on PostgreSQL.
VOLUME /data
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/healthz', timeout=2)"]
ENTRYPOINT ["python", "app.py"]
CMD ["serve"]
