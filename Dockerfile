# docker build -t inceptionscope .   then   docker run --rm -p 8501:8501 inceptionscope
#
# On an NVIDIA GPU: docker build --build-arg TORCH_INDEX= -t inceptionscope:gpu .
#                   docker run --rm --gpus all -p 8501:8501 inceptionscope:gpu
ARG PYTHON_VERSION=3.12
FROM python:${PYTHON_VERSION}-slim

# PyTorch's own index of CPU builds keeps the image small; an empty value takes pip's default index, whose Linux builds
# carry CUDA (and run on the CPU too).
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu

ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 STREAMLIT_BROWSER_GATHER_USAGE_STATS=false
WORKDIR /srv/inceptionscope

# Torch comes from an index that holds little else, so what it needs comes with the rest.
COPY requirements.txt constraints.txt ./
RUN grep -E '^(torch|torchvision)[<>=~ ]' requirements.txt > torch.txt \
    && pip install ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} --no-deps -r torch.txt -c constraints.txt \
    && pip install -r requirements.txt -c constraints.txt \
    && rm torch.txt

COPY . .
# The code stays root's, which nobody is here. All that is written lies in the user's home and in /tmp, so that the rest
# can be mounted read-only (deploy/); hosts that take another user find the same home.
RUN groupadd --gid 10001 scope \
    && useradd --create-home --home-dir /srv/scope --uid 10001 --gid 10001 scope \
    && chmod 1777 /srv/scope
ENV HOME=/srv/scope
USER 10001:10001

EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8501/api/ready', timeout=4)"]
# The address to print is given, or Streamlit would ask an outside service for this machine's.
CMD ["python", "-m", "streamlit", "run", "app/server.py", "--server.address=0.0.0.0", "--server.port=8501", \
     "--server.headless=true", "--browser.serverAddress=localhost"]
