"""An upstream over https: whom the gateway trusts, and whom not."""

import ssl
import subprocess

import pytest
from stub_upstream import StubUpstream

QUESTION = "How do I reset my password?"


@pytest.fixture
def upstream_with(tmp_path):
    """upstream_with(subject alternative names) -> (stub, its certificate's file)"""
    stubs = []

    def start(names):
        key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=stub"]
        subprocess.run([*command, "-addext", f"subjectAltName={names}", "-keyout", key, "-out", certificate], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        stubs.append(StubUpstream(context))
        return stubs[-1], certificate

    yield start
    for stub in stubs:
        stub.close()


def test_a_trusted_certificate(start_gateway, upstream_with):
    stub, certificate = upstream_with("IP:127.0.0.1")
    gateway = start_gateway(stub.url, env={"SSL_CERT_FILE": str(certificate)})
    status, headers, _ = gateway.ask(QUESTION)
    assert (status, headers["x-sosie-cache"]) == (200, "miss")
    assert gateway.ask("What is the tallest mountain?", stream=True)[2].endswith(b"data: [DONE]\n\n")
    assert gateway.ask("What is the tallest mountain?")[1]["x-sosie-cache"] == "hit"


def test_a_name_is_sent_and_checked(start_gateway, upstream_with):
    stub, certificate = upstream_with("DNS:localhost")
    asked = []
    stub.tls.sni_callback = lambda socket, name, context: asked.append(name)
    gateway = start_gateway(stub.url.replace("127.0.0.1", "localhost"), env={"SSL_CERT_FILE": str(certificate)})
    assert gateway.ask(QUESTION)[0] == 200 and asked == ["localhost"]


@pytest.mark.parametrize("names,trusted", [("IP:127.0.0.1", False), ("DNS:elsewhere.example", True)])
def test_an_untrusted_certificate(start_gateway, upstream_with, names, trusted):
    stub, certificate = upstream_with(names)
    gateway = start_gateway(stub.url, env={"SSL_CERT_FILE": str(certificate)} if trusted else {})
    assert gateway.ask(QUESTION)[0] == 502 and stub.calls == []


def test_a_stream_cut_under_tls(start_gateway, upstream_with):
    stub, certificate = upstream_with("IP:127.0.0.1")
    stub.mode, stub.text = "cut", "one two three four"
    gateway = start_gateway(stub.url, env={"SSL_CERT_FILE": str(certificate)})
    body = gateway.ask(QUESTION, stream=True)[2]
    assert b"upstream_cut" in body and b"[DONE]" not in body
