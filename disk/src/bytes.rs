//! Numbers and text inside on-disk structures.

/// A structure read from a disk. Fields past its end read as zeros, as in a structure of an older, shorter revision.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    /// `N` bytes at `offset`.
    pub(crate) fn array<const N: usize>(&self, offset: usize) -> [u8; N] {
        let mut out = [0; N];
        for (to, from) in out.iter_mut().zip(self.0.get(offset..).unwrap_or_default()) {
            *to = *from;
        }
        out
    }
    pub(crate) fn u8(&self, offset: usize) -> u8 {
        u8::from_le_bytes(self.array(offset))
    }
    pub(crate) fn le16(&self, offset: usize) -> u16 {
        u16::from_le_bytes(self.array(offset))
    }
    pub(crate) fn le32(&self, offset: usize) -> u32 {
        u32::from_le_bytes(self.array(offset))
    }
    pub(crate) fn le64(&self, offset: usize) -> u64 {
        u64::from_le_bytes(self.array(offset))
    }
    /// Whether `expected` stands at `offset`.
    pub(crate) fn has(&self, offset: usize, expected: &[u8]) -> bool {
        self.0.get(offset..).is_some_and(|rest| rest.starts_with(expected))
    }
    /// The bytes from `offset` to the end (empty past the end).
    pub(crate) fn from(&self, offset: usize) -> &'a [u8] {
        self.0.get(offset..).unwrap_or_default()
    }
    /// Text of at most `len` bytes that ends at the first NUL; `None` if nothing but blanks is there.
    pub(crate) fn text(&self, offset: usize, len: usize) -> Option<String> {
        let bytes = self.from(offset);
        let bytes = bytes.get(..len).unwrap_or(bytes);
        let bytes = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        let text = String::from_utf8_lossy(bytes).trim_end().to_owned();
        (!text.is_empty()).then_some(text)
    }
}

/// A GUID as UEFI stores it (the first three parts little-endian), in its usual upper-case form.
pub(crate) fn guid(bytes: [u8; 16]) -> String {
    uuid::Uuid::from_bytes_le(bytes)
        .hyphenated()
        .encode_upper(&mut uuid::Uuid::encode_buffer())
        .to_owned()
}

/// A UUID as Linux filesystems store it (big-endian), in lower case; `None` if it is all zeros.
pub(crate) fn uuid(bytes: [u8; 16]) -> Option<String> {
    (bytes != [0; 16]).then(|| uuid::Uuid::from_bytes(bytes).hyphenated().to_string())
}

/// UTF-16LE text up to the first NUL.
pub(crate) fn utf16(bytes: &[u8]) -> String {
    let units: Vec<u16> = bytes
        .as_chunks::<2>()
        .0
        .iter()
        .map(|pair| u16::from_le_bytes(*pair))
        .take_while(|unit| *unit != 0)
        .collect();
    String::from_utf16_lossy(&units)
}
