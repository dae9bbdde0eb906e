//! Tables of a new image (L2 tables, refcount blocks), each one cluster long: the few that are being filled are in
//! memory, the others in the file, whatever the size of the disk.

use super::Qcow2Error;
use super::output::Output;
use std::collections::HashMap;

/// One table in memory.
struct Table {
    bytes: Vec<u8>,
    dirty: bool,
    last_use: u64,
}

/// Tables by number, with their places in the file.
pub(super) struct Tables {
    in_memory: HashMap<usize, Table>,
    /// Where each table is in the file (bytes); 0: it does not exist.
    offsets: Vec<u64>,
    table_size: usize,
    most_in_memory: usize,
    clock: u64,
}

impl Tables {
    /// No table yet. At most `memory` bytes of tables of `table_size` bytes are kept in memory (at least four).
    pub(super) fn new(table_size: usize, memory: usize) -> Self {
        Tables {
            in_memory: HashMap::new(),
            offsets: Vec::new(),
            table_size,
            most_in_memory: (memory / table_size).max(4),
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

    /// Makes table `number`, all zeros, at `offset` of the file.
    pub(super) fn create(&mut self, out: &mut Output, number: usize, offset: u64) -> Result<(), Qcow2Error> {
        if self.offsets.len() <= number {
            self.offsets.resize(number + 1, 0);
        }
        self.offsets[number] = offset;
        self.keep(out, number, vec![0; self.table_size], true)
    }

    /// The `N` bytes at `at` of table `number`, which exists.
    pub(super) fn get<const N: usize>(
        &mut self,
        out: &mut Output,
        number: usize,
        at: usize,
    ) -> Result<[u8; N], Qcow2Error> {
        let bytes = &self.table(out, number)?.bytes;
        let mut field = [0; N];
        field.copy_from_slice(&bytes[at..at + N]);
        Ok(field)
    }

    /// Changes the bytes at `at` of table `number`, which exists.
    pub(super) fn set(&mut self, out: &mut Output, number: usize, at: usize, field: &[u8]) -> Result<(), Qcow2Error> {
        let table = self.table(out, number)?;
        table.dirty = true;
        table.bytes[at..at + field.len()].copy_from_slice(field);
        Ok(())
    }

    /// Writes every table that the file does not have as it is.
    pub(super) fn flush(&mut self, out: &mut Output) -> Result<(), Qcow2Error> {
        let mut numbers: Vec<usize> = self.in_memory.keys().copied().collect();
        numbers.sort_unstable();
        for number in numbers {
            if let Some(table) = self.in_memory.get_mut(&number).filter(|table| table.dirty) {
                out.write(self.offsets[number], &table.bytes)?;
                table.dirty = false;
            }
        }
        Ok(())
    }

    /// Table `number`, read back from the file if it had to leave memory.
    fn table(&mut self, out: &mut Output, number: usize) -> Result<&mut Table, Qcow2Error> {
        if !self.in_memory.contains_key(&number) {
            let mut bytes = vec![0; self.table_size];
            out.read(self.offsets[number], &mut bytes)?;
            self.keep(out, number, bytes, false)?;
        }
        self.clock += 1;
        let clock = self.clock;
        let table = self
            .in_memory
            .entry(number)
            .or_insert_with(|| unreachable!("kept above"));
        table.last_use = clock;
        Ok(table)
    }

    fn keep(&mut self, out: &mut Output, number: usize, bytes: Vec<u8>, dirty: bool) -> Result<(), Qcow2Error> {
        if self.in_memory.len() >= self.most_in_memory {
            self.make_room(out)?;
        }
        self.clock += 1;
        let table = Table {
            bytes,
            dirty,
            last_use: self.clock,
        };
        self.in_memory.insert(number, table);
        Ok(())
    }

    /// Writes out and drops the quarter of the tables that was not used for longest.
    fn make_room(&mut self, out: &mut Output) -> Result<(), Qcow2Error> {
        let mut by_age: Vec<(u64, usize)> = self.in_memory.iter().map(|(number, t)| (t.last_use, *number)).collect();
        by_age.sort_unstable();
        for (_, number) in by_age.into_iter().take((self.most_in_memory / 4).max(1)) {
            if let Some(table) = self.in_memory.remove(&number).filter(|table| table.dirty) {
                out.write(self.offsets[number], &table.bytes)?;
            }
        }
        Ok(())
    }
}
