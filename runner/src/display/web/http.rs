//! As much of HTTP/1.1 (RFC 9112) as a browser needs to get files and to open a WebSocket (RFC 6455).
#![warn(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]

/// Header lines read.
const MAX_HEADERS: usize = 100;

/// Where the head of a request ends, if it is complete.
pub(super) fn end_of_head(bytes: &[u8]) -> Option<usize> {
    let at = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    at.checked_add(4)
}

/// A request without a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    /// Without the query.
    pub(super) path: String,
    /// HEAD instead of GET.
    pub(super) head_only: bool,
    /// Names in lower case.
    headers: Vec<(String, String)>,
}

impl Request {
    /// Reads a whole head; the error is a status.
    pub(super) fn parse(head: &[u8]) -> Result<Self, u16> {
        let head = std::str::from_utf8(head).map_err(|_| 400u16)?;
        let mut lines = head.split("\r\n");
        let mut first = lines.next().unwrap_or_default().split(' ');
        let (method, target, version) = (first.next(), first.next(), first.next());
        if first.next().is_some() || !matches!(version, Some("HTTP/1.1" | "HTTP/1.0")) {
            return Err(400);
        }
        let head_only = match method {
            Some("GET") => false,
            Some("HEAD") => true,
            _ => return Err(405),
        };
        let target = target.filter(|target| target.starts_with('/')).ok_or(400u16)?;
        let path = target.split(['?', '#']).next().unwrap_or_default().to_owned();
        let mut headers = Vec::new();
        for line in lines.filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':').ok_or(400u16)?;
            if headers.len() == MAX_HEADERS {
                return Err(431);
            }
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Ok(Request {
            path,
            head_only,
            headers,
        })
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(known, _)| known == name);
        values.next().map(|(_, value)| value.as_str())
    }

    fn has_word(&self, name: &str, word: &str) -> bool {
        let value = self.header(name).unwrap_or_default();
        value.split(',').any(|part| part.trim().eq_ignore_ascii_case(word))
    }

    /// The key of a request to open a WebSocket.
    pub(super) fn websocket_key(&self) -> Option<&str> {
        let wanted = !self.head_only
            && self.has_word("upgrade", "websocket")
            && self.has_word("connection", "upgrade")
            && self.header("sec-websocket-version") == Some("13");
        self.header("sec-websocket-key").filter(|_| wanted)
    }

    /// Whether the page that asks came from here, as far as the browser tells.
    pub(super) fn is_same_origin(&self) -> bool {
        let Some(origin) = self.header("origin") else {
            return true;
        };
        let host = origin.split_once("://").map(|(_, host)| host);
        host.is_some() && host == self.header("host")
    }
}

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Response {
    status: u16,
    /// Whole header lines.
    headers: String,
    body: Vec<u8>,
}

impl Response {
    /// A file.
    pub(super) fn file(kind: &str, body: Vec<u8>) -> Self {
        Response {
            status: 200,
            headers: format!("Content-Type: {kind}\r\n"),
            body,
        }
    }

    /// A refusal.
    pub(super) fn error(status: u16) -> Self {
        Response {
            status,
            headers: "Content-Type: text/plain\r\n".to_owned(),
            body: format!("{} {}\n", status, reason(status)).into_bytes(),
        }
    }

    /// From here on the connection is a WebSocket.
    pub(super) fn switch(accept: &str, request: &Request) -> Self {
        let mut headers = format!("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n");
        if request.has_word("sec-websocket-protocol", "binary") {
            headers.push_str("Sec-WebSocket-Protocol: binary\r\n");
        }
        Response {
            status: 101,
            headers,
            body: Vec::new(),
        }
    }

    /// What goes over the line.
    pub(super) fn bytes(&self, head_only: bool) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} {}\r\n{}", self.status, reason(self.status), self.headers);
        if self.status != 101 {
            // The random path must not leave by the Referer header, and no other page may frame this one.
            head.push_str(&format!(
                "Content-Length: {}\r\nConnection: close\r\nCache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n\
                 X-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\n",
                self.body.len()
            ));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        if !head_only {
            bytes.extend(&self.body);
        }
        bytes
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        101 => "Switching Protocols",
        200 => "OK",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        426 => "Upgrade Required",
        431 => "Request Header Fields Too Large",
        _ => "Error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn requests_of_browsers() {
        let head = b"GET /t/websockify?x HTTP/1.1\r\nHost: a:1\r\nOrigin: http://a:1\r\nUpgrade: WebSocket\r\n\
                     Connection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: k\r\n\r\n";
        assert_eq!(end_of_head(head), Some(head.len()));
        let request = Request::parse(head).unwrap();
        assert_eq!(
            (request.path.as_str(), request.websocket_key()),
            ("/t/websockify", Some("k"))
        );
        assert!(request.is_same_origin());
        let elsewhere = b"GET / HTTP/1.1\r\nHost: a:1\r\nOrigin: http://b:1\r\n\r\n";
        assert!(!Request::parse(elsewhere).unwrap().is_same_origin());
        assert_eq!(Request::parse(b"POST / HTTP/1.1\r\n\r\n"), Err(405));
        assert_eq!(Request::parse(b"GET http://x/ HTTP/1.1\r\n\r\n"), Err(400));
    }

    proptest! {
        #[test]
        fn any_head_is_read_or_refused(head in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Request::parse(&head);
        }
    }
}
