"""CPU per HTTPS probe with the certificate's end read: ours through the engine, against blackbox_exporter."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import trustme

from bench._worker import EXPECT
from bench.probe_http import compare, target

BAR = 0.75


def run() -> dict[str, Any]:
    """Measure. Full handshakes with a P-256 certificate on both sides."""
    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    leaf = authority.issue_cert("localhost", "127.0.0.1", key_type=trustme.KeyType.ECDSA)
    with tempfile.TemporaryDirectory() as folder:
        pem, ca = Path(folder, "leaf.pem"), Path(folder, "ca.pem")
        leaf.private_key_and_cert_chain_pem.write_to_path(pem)
        authority.cert_pem.write_to_path(ca)
        chosen = {"ca_file": str(ca), "expect": {**EXPECT["expect"], "certificate_days": 14}}
        with target(pem) as ports:
            urls = [f"https://127.0.0.1:{port}/health" for port in ports]
            return compare("probe_https", BAR, urls, chosen, ca)


if __name__ == "__main__":
    print(json.dumps(run()))
