"""Bytes that no client would send."""

from hypothesis import strategies as st

RAW = (
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /config HTTP/1.0\r\nOrigin: http://a\r\n\r\n",
    b"OPTIONS /gradio_api/queue/join HTTP/1.0\r\nOrigin: a\r\nAccess-Control-Request-Method: POST\r\n\r\n",
    b"HEAD /gradio_api/info HTTP/1.1\r\nHost: a\r\n\r\n",
    b'POST /gradio_api/call/sizes HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\n{"data": []}',
    b"POST /gradio_api/queue/join HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    b"POST /gradio_api/cancel HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"2\r\n{}\r\n0\r\n\r\n",
    b"GET /gradio_api/queue/status HTTP/1.1\r\nHost: a\r\n\r\nGET /gradio_api/app_id HTTP/1.1\r\nHost: a\r\n\r\n",
)
PIECES = (
    *(
        b"\r\n",
        b"\n",
        b"\r",
        b"\x00",
        b": ",
        b" ",
        b"\t",
        b"\xff\xfe",
        b"HTTP/9.9",
        b"HTTP/1.0",
        b"\r\n folded",
        b"%0d%0a",
    ),
    *(
        b"Content-Length: 5\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length: 99999999999999999999\r\n",
        b"Expect: 100-continue\r\n",
    ),
    *(b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip, chunked\r\n", b"Transfer-Encoding : chunked\r\n"),
    *(b"Host: [\r\n", b"Host: \xe9\r\n", b"Origin: \xe9\r\n", b"X-Forwarded-Host: a:b\r\n", b"Upgrade: websocket\r\n"),
    *(
        b"Connection: upgrade\r\n",
        b"Connection: close\r\n",
        b"ffffffffffffffff\r\n",
        b"0\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ),
    *(
        b"A" * 9000,
        b"X: " + b"y" * 70_000 + b"\r\n",
        b"ERROR: forged\r\n",
        b"GET / HTTP/1.1\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
    ),
)


@st.composite
def raw_bytes(draw: st.DrawFn) -> bytes:
    """A request with pieces put in, cut out or cut off, as no client would send it."""
    data = draw(st.sampled_from(RAW)).replace(b"\r\n", b"\r\nConnection: close\r\n", draw(st.integers(0, 1)))
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(data)))
        match draw(st.integers(0, 3)):
            case 0:
                data = data[:place] + draw(st.sampled_from(PIECES)) + data[place:]
            case 1:
                data = data[:place] + data[place + draw(st.integers(1, 9)) :]
            case 2:
                line_end = data.find(b"\r\n", place) + 2
                data = data[:line_end] + draw(st.sampled_from(PIECES)) + data[line_end:]
            case 3:
                data = data[:place] + draw(st.binary(min_size=1, max_size=8)) + data[place:]
    return data
