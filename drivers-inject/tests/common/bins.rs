//! A small hive that has every structure, made without a library: lists of all kinds, split data, a class name. Tests
//! and fuzz targets share it.

/// Bins under construction: cells one after the other, children before their parents.
struct Bins(Vec<u8>);

impl Bins {
    /// Adds a cell and returns its offset.
    fn cell(&mut self, parts: &[&[u8]]) -> u32 {
        let at = u32::try_from(self.0.len()).expect("a small hive");
        let data = parts.concat();
        let size = (data.len() + 4).next_multiple_of(8);
        self.0
            .extend((-i32::try_from(size).expect("a small cell")).to_le_bytes());
        self.0.extend(data);
        self.0.resize(at as usize + size, 0);
        at
    }

    /// A list of offsets, without a signature.
    fn offsets(&mut self, offsets: &[u32]) -> u32 {
        let bytes: Vec<u8> = offsets.iter().flat_map(|offset| offset.to_le_bytes()).collect();
        self.cell(&[&bytes])
    }

    /// A list of subkeys, or of lists, with what follows each offset.
    fn list(&mut self, signature: &[u8; 2], elements: &[(u32, &[u8])]) -> u32 {
        let count = u16::try_from(elements.len()).expect("a short list").to_le_bytes();
        let element = |(offset, hint): &(u32, &[u8])| [&offset.to_le_bytes()[..], hint].concat();
        let elements: Vec<u8> = elements.iter().flat_map(element).collect();
        self.cell(&[signature, &count, &elements])
    }

    fn value(&mut self, name: &[u8], kind: u32, len: u32, data: u32) -> u32 {
        let name_len = u16::try_from(name.len()).expect("a short name").to_le_bytes();
        let fields: Vec<u8> = [len, data, kind, 1]
            .iter()
            .flat_map(|field| field.to_le_bytes())
            .collect();
        self.cell(&[b"vk", &name_len, &fields, name])
    }

    /// A list of values: a string, several strings, a number and, if wanted, split data.
    fn values(&mut self, with_big: bool) -> (u32, u32) {
        let text = self.cell(&[b"a\0b\0\0\0c\0\0\0\0\0"]);
        let many = self.cell(&[b"a\0b\0\0\0c\0\0\0\0\0"]);
        let mut values = vec![
            self.value(b"text", 1, 12, text),
            self.value(b"many", 7, 12, many),
            self.value(b"number", 4, 0x8000_0004, 42),
        ];
        if with_big {
            let first = self.cell(&[&[7; 16_344]]);
            // libhivex does not read the last 4 bytes of a segment's cell.
            let second = self.cell(&[&[8; 100], &[0; 4]]);
            let segments = self.offsets(&[first, second]);
            let big = self.cell(&[b"db\x02\0", &segments.to_le_bytes()]);
            values.push(self.value(b"big", 3, 16_444, big));
        }
        let count = u32::try_from(values.len()).expect("few values");
        (count, self.offsets(&values))
    }

    fn key(&mut self, name: &[u8], subkeys: (u32, u32), values: (u32, u32), security: u32) -> u32 {
        let mut fields = vec![0; 0x4c];
        let mut put = |at: usize, field: u32| fields[at..at + 4].copy_from_slice(&field.to_le_bytes());
        for (at, field) in [(0x14, subkeys.0), (0x1c, subkeys.1), (0x24, values.0), (0x28, values.1)] {
            put(at, field);
        }
        put(0x10, u32::MAX);
        put(0x20, u32::MAX);
        put(0x2c, security);
        put(0x30, u32::MAX);
        // The longest names of subkeys and values, the longest data.
        put(0x34, 10);
        put(0x3c, 12);
        put(0x40, 16_444);
        put(0x48, u32::try_from(name.len()).expect("a short name"));
        fields[..4].copy_from_slice(b"nk\x20\0");
        self.cell(&[&fields, name])
    }

    /// Gives a key a class name.
    fn class(&mut self, key: u32, name: &[u8]) {
        let class = self.cell(&[name]);
        let fields = key as usize + 4;
        self.0[fields + 0x30..fields + 0x34].copy_from_slice(&class.to_le_bytes());
        self.0[fields + 0x4a] = u8::try_from(name.len()).expect("a short name");
    }
}

/// The hive: version 1.`minor`, one bin. Keys: the root, `One` (in an `lh`), `Three` and `Zwölf` (in an `lf`), `One\Two` (in
/// an `li`). From 1.4 on there are split data.
pub(crate) fn every_kind(minor: u32) -> Vec<u8> {
    let none = (0, u32::MAX);
    let mut bins = Bins(vec![0; 0x20]);
    let own = 0x20u32.to_le_bytes();
    let security = bins.cell(&[
        b"sk\0\0",
        &own,
        &own,
        &5u32.to_le_bytes(),
        &20u32.to_le_bytes(),
        &[1, 0, 0, 0x80],
        &[0; 16],
    ]);
    let values = bins.values(minor > 3);
    let two = bins.key(b"Two", none, values, security);
    let twos = bins.list(b"li", &[(two, b"")]);
    let one = bins.key(b"One", (1, twos), none, security);
    bins.class(one, b"C\0l\0");
    let values = bins.values(false);
    let three = bins.key(b"Three", none, values, security);
    let twelve = bins.key(b"Zw\xf6lf", none, none, security);
    // O, N and E hashed.
    let hash = ((79u32 * 37 + 78) * 37 + 69).to_le_bytes();
    let leaves = [
        bins.list(b"lh", &[(one, &hash)]),
        bins.list(b"lf", &[(three, b"Thre"), (twelve, b"Zw\xf6l")]),
    ];
    let lists = bins.list(b"ri", &[(leaves[0], b""), (leaves[1], b"")]);
    let values = bins.values(false);
    let root = bins.key(b"Root", (3, lists), values, security);

    let Bins(mut bins) = bins;
    let used = bins.len();
    let size = (used + 8).next_multiple_of(4096);
    bins.extend(u32::try_from(size - used).expect("less than a page").to_le_bytes());
    bins.resize(size, 0);
    let size = u32::try_from(size).expect("a small hive");
    bins[..4].copy_from_slice(b"hbin");
    bins[8..12].copy_from_slice(&size.to_le_bytes());
    let mut file = vec![0; 4096];
    file[..4].copy_from_slice(b"regf");
    for (at, field) in [
        (0x4, 1),
        (0x8, 1),
        (0x14, 1),
        (0x18, minor),
        (0x20, 1),
        (0x24, root),
        (0x28, size),
        (0x2c, 1),
    ] {
        file[at..at + 4].copy_from_slice(&u32::to_le_bytes(field));
    }
    seal(&mut file);
    file.extend(bins);
    file
}

/// Writes the checksum that the base block should have.
pub(crate) fn seal(file: &mut [u8]) {
    let words = file[..0x1fc]
        .chunks_exact(4)
        .map(|word| u32::from_le_bytes(word.try_into().expect("four bytes")));
    let sum = match words.fold(0, |sum, word| sum ^ word) {
        0 => 1,
        u32::MAX => u32::MAX - 1,
        sum => sum,
    };
    file[0x1fc..0x200].copy_from_slice(&sum.to_le_bytes());
}
