//! What the crate `scll` asks of its surroundings: a transport and random bytes.

use perso::card::transport::Transport as Link;
use scll::limits::RAPDU_MAX;
use scll::transport::{AtrAts, Transport, TransportCaps, TransportError, TransportProtocol};

/// `scll`'s idea of a transport, over one of ours.
pub struct Bridge(pub Box<dyn Link>);

impl Transport for Bridge {
    fn transmit(&mut self, capdu: &[u8]) -> Result<heapless::Vec<u8, RAPDU_MAX>, TransportError> {
        let answer = self.0.transmit(capdu).map_err(|_| TransportError::CardRemoved)?;
        heapless::Vec::from_slice(&answer).map_err(|()| TransportError::ProtocolError)
    }

    fn capabilities(&self) -> TransportCaps {
        TransportCaps { handles_t0_get_response: false, protocol: TransportProtocol::T1, contactless: false }
    }

    fn reset(&mut self) -> Result<AtrAts, TransportError> {
        let atr = self.0.reset().map_err(|_| TransportError::CardRemoved)?;
        let bytes = heapless::Vec::from_slice(&atr).map_err(|()| TransportError::ProtocolError)?;
        Ok(AtrAts { bytes, protocol: TransportProtocol::T1 })
    }

    fn protocol(&self) -> TransportProtocol {
        TransportProtocol::T1
    }

    fn is_connected(&self) -> bool {
        true
    }
}

/// Counts, so that every run is the same.
pub struct Counting(pub u8);

impl rand_core::RngCore for Counting {
    fn next_u32(&mut self) -> u32 {
        rand_core::impls::next_u32_via_fill(self)
    }

    fn next_u64(&mut self) -> u64 {
        rand_core::impls::next_u64_via_fill(self)
    }

    fn fill_bytes(&mut self, buffer: &mut [u8]) {
        buffer.iter_mut().for_each(|byte| {
            self.0 = self.0.wrapping_add(73);
            *byte = self.0;
        });
    }

    fn try_fill_bytes(&mut self, buffer: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(buffer);
        Ok(())
    }
}

impl rand_core::CryptoRng for Counting {}
