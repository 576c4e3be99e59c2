//! Codes of vouchers: those that this service makes, and how any code is found.
//!
//! A generated code has 17 symbols of five bits (85 bits out of a generator fit for keys: nobody guesses one) and a check
//! symbol, in the alphabet of Crockford: digits and capitals without I, L, O and U, which are mistaken for others. The
//! check is a sum over the field of 32 elements with a weight of its own for each place, so that any one wrong symbol,
//! and any two that changed places, are noticed without asking the database.

use std::fmt;

use rand::Rng;

/// Digits and capitals without those that look like others.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Symbols that carry chance.
const RANDOM_COUNT: usize = 17;

/// Those and the check.
const SYMBOL_COUNT: usize = RANDOM_COUNT + 1;

/// Symbols between two hyphens: what a person keeps in mind while typing.
const GROUP_COUNT: usize = 6;

/// Longest text that is looked up, in characters: the longest code of a pool, and generated ones however they are
/// spaced.
pub const CODE_TEXT_LEN_MAX: usize = 100;

/// x^5 + x^2 + 1, by which products in the field are reduced.
const POLYNOMIAL: u16 = 0b10_0101;

/// A code that this service made: its symbols, without hyphens.
#[derive(Clone, PartialEq, Eq)]
pub struct GeneratedCode([u8; SYMBOL_COUNT]);

/// By what a code that somebody typed may be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeKeys(Vec<String>);

/// The text is no code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to 100 characters, none of them a control character")]
pub struct CodeError;

impl GeneratedCode {
    /// A new one. The generator is one fit for keys.
    pub fn generate(random: &mut impl Rng) -> Self {
        let mut symbols = [0; SYMBOL_COUNT];
        random.fill_bytes(&mut symbols);
        // 256 is a multiple of 32: every symbol is as likely as any other.
        for symbol in &mut symbols {
            *symbol &= 31;
        }
        symbols[RANDOM_COUNT] = check_of(&symbols[..RANDOM_COUNT]);
        Self(symbols)
    }

    /// Reads one, however it is written: case, spaces and hyphens do not matter, and O, I and L are the digits that they
    /// look like. None if it is none of this service's.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut symbols = [0; SYMBOL_COUNT];
        let mut count = 0;
        for character in text.chars().filter(|character| !matches!(character, ' ' | '-')) {
            *symbols.get_mut(count)? = symbol_of(character)?;
            count += 1;
        }
        let whole = count == SYMBOL_COUNT && symbols[RANDOM_COUNT] == check_of(&symbols[..RANDOM_COUNT]);
        whole.then_some(Self(symbols))
    }

    /// By what it is found.
    #[must_use]
    pub fn key(&self) -> String {
        self.0.iter().map(|symbol| letter(*symbol)).collect()
    }
}

impl fmt::Display for GeneratedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, symbol) in self.0.iter().enumerate() {
            if index > 0 && index % GROUP_COUNT == 0 {
                f.write_str("-")?;
            }
            write!(f, "{}", letter(*symbol))?;
        }
        Ok(())
    }
}

/// Whoever reads a code can use it: it does not show itself in logs.
impl fmt::Debug for GeneratedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GeneratedCode(..)")
    }
}

impl CodeKeys {
    /// Of a text as somebody typed it: a program's own codes are found exactly as they are, generated ones however they
    /// are written.
    pub fn of(text: &str) -> Result<Self, CodeError> {
        let text = text.trim();
        let fits = (1..=CODE_TEXT_LEN_MAX).contains(&text.chars().count());
        if !fits || text.chars().any(char::is_control) {
            return Err(CodeError);
        }
        let mut keys = vec![text.to_owned()];
        let generated = GeneratedCode::parse(text).map(|code| code.key());
        keys.extend(generated.filter(|key| key != text));
        Ok(Self(keys))
    }

    /// The keys, the more exact one first.
    #[must_use]
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }
}

fn letter(symbol: u8) -> char {
    char::from(ALPHABET[usize::from(symbol & 31)])
}

fn symbol_of(character: char) -> Option<u8> {
    let letter = match character.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    let place = ALPHABET.iter().position(|known| char::from(*known) == letter)?;
    u8::try_from(place).ok()
}

/// The sum of all symbols, each times the generator of the field to the power of its place. The weights of all places
/// differ and none is zero: hence no one error and no exchange goes unnoticed.
fn check_of(symbols: &[u8]) -> u8 {
    let mut weight = 1;
    symbols.iter().fold(0, |sum, symbol| {
        weight = times(weight, 2);
        sum ^ times(weight, *symbol)
    })
}

/// The product of two elements of the field.
fn times(left: u8, right: u8) -> u8 {
    let mut product: u16 = 0;
    for bit in 0..5 {
        if right >> bit & 1 == 1 {
            product ^= u16::from(left) << bit;
        }
    }
    for high in (5..10).rev() {
        if product >> high & 1 == 1 {
            product ^= POLYNOMIAL << (high - 5);
        }
    }
    // Below 32 by now.
    u8::try_from(product).unwrap_or_default()
}

#[cfg(test)]
mod tests;
