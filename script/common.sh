# Which packages sosie needs, how they are installed, and where the model is; for the other scripts to source.
# shellcheck shell=bash disable=SC2034

model_dir="${SOSIE_MODEL_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/sosie/models/all-MiniLM-L6-v2}"

build_tools="clang-19 cmake ninja-build ca-certificates pkg-config python3 python3-pip"
test_libraries="libgtest-dev libgmock-dev"
test_tools="libbenchmark-dev libclang-rt-19-dev python3-venv python3-dev locales wrk"

# Fails on a system whose packages are not known.
libraries_of_this_system() {
  local boost
  # shellcheck source=/dev/null
  . /etc/os-release
  case "$ID-${VERSION_ID:-}" in
    debian-12) boost=libboost1.81-dev ;;
    ubuntu-24.04) boost=libboost1.83-dev ;;
    *) return 1 ;;
  esac
  echo $boost libdnnl-dev libsqlite3-dev libsimdjson-dev nlohmann-json3-dev libcli11-dev libtomlplusplus-dev libspdlog-dev libutf8proc-dev \
    libssl-dev zlib1g-dev libzstd-dev
}

# install_packages SCRIPT PACKAGE ...: with apt, those that are missing. SCRIPT says who asks.
install_packages() {
  local script=$1 missing=() sudo=()
  shift
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  echo "$script: installing with apt (compiler, libraries, tools to build and test sosie): ${missing[*]}"
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "$script: not root and no sudo: ask an administrator to install the packages above" >&2; return 1; }
    sudo=(sudo)
  fi
  "${sudo[@]}" apt-get -q update
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "${missing[@]}"
}
