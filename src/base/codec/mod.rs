//! How bytes are written: BER-TLV and BCD. (Hexadecimal is the `hex` package's.) And how people paste hexadecimal.

mod padding;
pub mod pasted;
pub mod tlv;
