//! Runs of clusters: where the bytes of a non-resident attribute are.

/// Consecutive clusters of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// The first cluster on the volume; `None` for a hole.
    pub(super) cluster: Option<u64>,
    pub(super) count: u64,
}

/// Decodes mapping pairs: a byte with the sizes of two numbers, the count, the distance from the run before.
pub(super) fn decode_runs(mut bytes: &[u8]) -> Option<Vec<Run>> {
    let mut runs = Vec::new();
    let mut last = 0i64;
    loop {
        let (header, rest) = bytes.split_first()?;
        if *header == 0 {
            return Some(runs);
        }
        let (count, rest) = rest.split_at_checked(usize::from(header & 0xf))?;
        let (distance, rest) = rest.split_at_checked(usize::from(header >> 4))?;
        let cluster = if distance.is_empty() {
            None
        } else {
            last = last.checked_add(signed(distance)?)?;
            Some(u64::try_from(last).ok()?)
        };
        let count = u64::try_from(signed(count)?).ok()?;
        runs.push(Run { cluster, count });
        bytes = rest;
    }
}

/// A signed little-endian number of 1 to 8 bytes.
fn signed(bytes: &[u8]) -> Option<i64> {
    let fill = if bytes.last()? & 0x80 == 0 { 0 } else { 0xff };
    let mut number = [fill; 8];
    number.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(i64::from_le_bytes(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_go_on_from_the_one_before() {
        let run = |cluster, count| Run { cluster, count };
        // 0x18 clusters at 0x5634, a hole of 7, 5 clusters 1 before the first run.
        let bytes = [0x21, 0x18, 0x34, 0x56, 0x01, 0x07, 0x11, 0x05, 0xff, 0];
        let expected = [run(Some(0x5634), 0x18), run(None, 7), run(Some(0x5633), 5)];
        assert_eq!(decode_runs(&bytes).unwrap(), expected);
        assert_eq!(decode_runs(&[0]).unwrap(), []);
    }

    #[test]
    fn runs_that_make_no_sense_are_refused() {
        // Cut off, before the first cluster, a number of nine bytes, a negative count, no count.
        for bytes in [
            &[0x21, 1, 1][..],
            &[0x11, 1, 0xff, 0],
            &[0x19; 20],
            &[0x01, 0xff, 0],
            &[0x10, 1, 0],
            &[],
        ] {
            assert_eq!(decode_runs(bytes), None, "{bytes:?}");
        }
    }
}
