const ACCEPTED: &[Accepted] = &[];
