//! Tables of a new image (L2 tables, refcount blocks), each one cluster long: the pages of them that are being filled are
//! in memory, the others in the file, whatever the size of the disk.
//!
//! Pages in which there is nothing are nowhere. A table is made where the file has a hole, which reads as zeros: a huge
//! disk that is nearly empty has thousands of tables with a few entries each.

use super::Qcow2Error;
use super::output::{Output, Run};
use std::collections::HashMap;

/// What is read and written at once, in bytes. File systems have blocks of this size.
const PAGE: usize = 4096;

/// A part of a table in memory.
struct Page {
    bytes: Vec<u8>,
    /// Whether the file does not have it as it is.
    dirty: bool,
    last_use: u64,
}

/// Tables by number, with their places in the file.
pub(super) struct Tables {
    /// By number of the table and place in it, in pages.
    pages: HashMap<(usize, usize), Page>,
    /// Where each table is in the file (bytes); 0: it does not exist.
    offsets: Vec<u64>,
    page_size: usize,
    most_pages: usize,
    clock: u64,
}

impl Tables {
    /// No table yet. At most `memory` bytes of tables of `table_size` bytes are kept in memory (at least four pages).
    pub(super) fn new(table_size: usize, memory: usize) -> Self {
        let page_size = table_size.min(PAGE);
        Tables {
            pages: HashMap::new(),
            offsets: Vec::new(),
            page_size,
            most_pages: (memory / page_size).max(4),
            clock: 0,
        }
    }

    /// Whether table `number` exists.
    pub(super) fn exists(&self, number: usize) -> bool {
        self.offsets.get(number).is_some_and(|offset| *offset != 0)
    }

    /// Where the tables are, by number; 0 for those that do not exist.
    pub(super) fn offsets(&self) -> &[u64] {
        &self.offsets
    }

    /// Makes table `number`, all zeros, at `offset` of the file, where nothing was ever written.
    pub(super) fn create(&mut self, number: usize, offset: u64) {
        if self.offsets.len() <= number {
            self.offsets.resize(number + 1, 0);
        }
        self.offsets[number] = offset;
    }

    /// The `N` bytes at `at` of table `number`, which exists. They are not on two pages.
    pub(super) fn get<const N: usize>(
        &mut self,
        out: &mut Output,
        number: usize,
        at: usize,
    ) -> Result<[u8; N], Qcow2Error> {
        let at_page = at % self.page_size;
        let bytes = &self.page(out, number, at)?.bytes;
        let mut field = [0; N];
        field.copy_from_slice(&bytes[at_page..at_page + N]);
        Ok(field)
    }

    /// Changes the bytes at `at` of table `number`, which exists. They are not on two pages.
    pub(super) fn set(&mut self, out: &mut Output, number: usize, at: usize, field: &[u8]) -> Result<(), Qcow2Error> {
        let at_page = at % self.page_size;
        let page = self.page(out, number, at)?;
        page.dirty = true;
        page.bytes[at_page..at_page + field.len()].copy_from_slice(field);
        Ok(())
    }

    /// Writes every page that the file does not have as it is.
    pub(super) fn flush(&mut self, out: &mut Output) -> Result<(), Qcow2Error> {
        let mut all: Vec<_> = self.pages.keys().copied().collect();
        self.write(out, &mut all)
    }

    /// The page with byte `at` of table `number`, read back from the file if it had to leave memory.
    fn page(&mut self, out: &mut Output, number: usize, at: usize) -> Result<&mut Page, Qcow2Error> {
        let name = (number, at / self.page_size);
        if !self.pages.contains_key(&name) {
            if self.pages.len() >= self.most_pages {
                self.make_room(out)?;
            }
            let mut bytes = vec![0; self.page_size];
            out.read(self.offset(name), &mut bytes)?;
            let page = Page {
                bytes,
                dirty: false,
                last_use: 0,
            };
            self.pages.insert(name, page);
        }
        self.clock += 1;
        let clock = self.clock;
        let page = self.pages.entry(name).or_insert_with(|| unreachable!("kept above"));
        page.last_use = clock;
        Ok(page)
    }

    /// Writes out and drops the quarter of the pages that was not used for longest.
    fn make_room(&mut self, out: &mut Output) -> Result<(), Qcow2Error> {
        let mut by_age: Vec<_> = self.pages.iter().map(|(name, page)| (page.last_use, *name)).collect();
        by_age.sort_unstable();
        by_age.truncate((self.most_pages / 4).max(1));
        let mut oldest: Vec<_> = by_age.into_iter().map(|(_, name)| name).collect();
        self.write(out, &mut oldest)?;
        for name in oldest {
            self.pages.remove(&name);
        }
        Ok(())
    }

    /// Writes those of the pages `names` that the file does not have as they are, in the order of their places.
    fn write(&mut self, out: &mut Output, names: &mut [(usize, usize)]) -> Result<(), Qcow2Error> {
        names.sort_unstable_by_key(|name| self.offset(*name));
        let mut run = Run::default();
        for name in names {
            let offset = self.offset(*name);
            if let Some(page) = self.pages.get_mut(name).filter(|page| page.dirty) {
                run.push(out, offset, &page.bytes)?;
                page.dirty = false;
            }
        }
        run.flush(out)
    }

    /// Where a page is in the file, in bytes.
    fn offset(&self, (number, page): (usize, usize)) -> u64 {
        self.offsets[number] + (page * self.page_size) as u64
    }
}
