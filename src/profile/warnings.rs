//! Warnings about a profile: values that are allowed and rarely meant.

use super::Profile;
use super::prepare::Pattern;
use crate::base::Warning;
use crate::base::emv::track;

impl Profile {
    /// Warnings, each with its path in the profile.
    pub fn warnings(&self) -> Vec<Warning> {
        let mut warnings = Vec::new();
        let Some(recipe) = self.recipe() else { return warnings };
        if let Some(message) = recipe.service_code().and_then(track::service_code_meaning) {
            warnings.push(Warning::new("prepare.make.service_code", message));
        }
        let patterns = [Pattern::Track1, Pattern::Track2, Pattern::Chip2, Pattern::Chip1, Pattern::Contactless1];
        let has_pvv = |pattern| recipe.pattern(pattern).is_some_and(|text| text.contains("{pvv}"));
        // Index 0 says that there is no PVV to verify. // Visa PVV method
        if recipe.pvki() == 0 && patterns.into_iter().any(has_pvv) {
            let message = "PVKI 0 means that the PVV is not verified; name the key by an index from 1 to 6";
            warnings.push(Warning::new("prepare.make.pvki", message));
        }
        warnings
    }
}
