//! EMV CPS: data groupings in STORE DATA commands. Packing is pure; running needs a session.

mod pack;
mod run;

pub use pack::{Block, PackError, Packing, Piece, Segment, encode, encoded_length, materialize, minimum, pack};
pub use run::{CpsError, Personalization};
