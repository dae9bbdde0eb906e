//! The IDE controller of the PIIX3: ATA disks, the ATAPI CD-ROM drive, bus-master DMA.
