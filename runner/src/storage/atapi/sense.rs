//! Sense data: what a packet command says about its failure (MMC-3, annex F; SPC-2, 7.20).

/// Key, additional code and qualifier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sense {
    pub(super) key: u8,
    pub(super) code: u8,
    pub(super) qualifier: u8,
}

impl Sense {
    pub(super) const NONE: Sense = Sense::new(0, 0, 0);
    pub(super) const NO_MEDIUM_TRAY_CLOSED: Sense = Sense::new(2, 0x3A, 1);
    pub(super) const NO_MEDIUM_TRAY_OPEN: Sense = Sense::new(2, 0x3A, 2);
    pub(super) const UNRECOVERED_READ_ERROR: Sense = Sense::new(3, 0x11, 0);
    /// The host's bus master could not reach its memory.
    pub(super) const DATA_PHASE_ERROR: Sense = Sense::new(4, 0x4B, 0);
    pub(super) const INVALID_OPCODE: Sense = Sense::new(5, 0x20, 0);
    pub(super) const ADDRESS_OUT_OF_RANGE: Sense = Sense::new(5, 0x21, 0);
    pub(super) const INVALID_FIELD: Sense = Sense::new(5, 0x24, 0);
    pub(super) const PARAMETER_LENGTH: Sense = Sense::new(5, 0x1A, 0);
    pub(super) const WRONG_MEDIUM: Sense = Sense::new(5, 0x30, 0);
    pub(super) const SAVING_NOT_SUPPORTED: Sense = Sense::new(5, 0x39, 0);
    pub(super) const REMOVAL_PREVENTED: Sense = Sense::new(5, 0x53, 2);
    pub(super) const NOT_AN_AUDIO_TRACK: Sense = Sense::new(5, 0x64, 0);
    pub(super) const MEDIUM_CHANGED: Sense = Sense::new(6, 0x28, 0);
    pub(super) const RESET_OCCURRED: Sense = Sense::new(6, 0x29, 0);

    const fn new(key: u8, code: u8, qualifier: u8) -> Self {
        Sense { key, code, qualifier }
    }

    /// The 18 bytes of REQUEST SENSE, current error, fixed format.
    pub(super) fn encode(self) -> Vec<u8> {
        let mut data = vec![0; 18];
        data[0] = 0x70;
        data[2] = self.key;
        data[7] = 10; // bytes that follow
        data[12] = self.code;
        data[13] = self.qualifier;
        data
    }
}
