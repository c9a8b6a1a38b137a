//! How bytes are written: BER-TLV and BCD. (Hexadecimal is the `hex` package's.)

mod padding;
pub mod tlv;
