//! Facts of codes.

use std::collections::BTreeSet;

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;

fn code(seed: u64) -> GeneratedCode {
    GeneratedCode::generate(&mut StdRng::seed_from_u64(seed))
}

#[test]
fn the_field_has_as_many_weights_as_it_has_elements_but_zero() {
    let mut weight = 1;
    let weights: BTreeSet<u8> = (0..31)
        .map(|_| {
            weight = times(weight, 2);
            weight
        })
        .collect();
    assert_eq!(weights.len(), 31);
    assert!(!weights.contains(&0));
}

#[test]
fn a_code_shows_no_symbol_that_looks_like_another() {
    for seed in 0..200 {
        let text = code(seed).to_string();
        assert_eq!(text.len(), 20);
        assert!(!text.contains(['I', 'L', 'O', 'U']), "{text}");
        assert_eq!(format!("{:?}", code(seed)), "GeneratedCode(..)");
    }
}

#[test]
fn chance_is_of_at_least_80_bits() {
    let chance_bits = RANDOM_COUNT * 5;
    assert!(chance_bits >= 80);
    let codes: BTreeSet<String> = (0..2_000).map(|seed| code(seed).key()).collect();
    assert_eq!(codes.len(), 2_000);
}

#[test]
fn what_looks_like_a_digit_is_read_as_it() {
    let with_digits = (0..10_000)
        .map(code)
        .find(|code| code.key().contains('0') && code.key().contains('1'));
    let key = with_digits.expect("some have both").key();
    let mistyped = key.replace('0', "o").replace('1', "L");
    assert_eq!(GeneratedCode::parse(&mistyped).map(|code| code.key()), Some(key));
}

#[test]
fn a_programs_own_code_is_found_as_it_is() {
    let keys = CodeKeys::of(" summer-24 ").unwrap();
    assert_eq!(keys.as_slice(), ["summer-24"]);
    for text in ["", "  ", "a\nb", &"x".repeat(CODE_TEXT_LEN_MAX + 1)] {
        assert_eq!(CodeKeys::of(text), Err(CodeError), "{text:?}");
    }
}

proptest! {
    #[test]
    fn a_code_is_found_however_it_is_written(seed: u64, cases: u32, gaps in prop::collection::vec(0..18_usize, 0..6)) {
        let code = code(seed);
        let mut written: Vec<char> = code
            .key()
            .chars()
            .enumerate()
            .map(|(index, letter)| if cases >> index & 1 == 1 { letter.to_ascii_lowercase() } else { letter })
            .collect();
        for (index, gap) in gaps.iter().enumerate() {
            written.insert(*gap, if index % 2 == 0 { ' ' } else { '-' });
        }
        let written: String = written.into_iter().collect();
        prop_assert_eq!(GeneratedCode::parse(&written), Some(code.clone()));
        let keys = CodeKeys::of(&written).unwrap();
        prop_assert!(keys.as_slice().contains(&code.key()));
    }

    #[test]
    fn one_wrong_symbol_is_noticed(seed: u64, place in 0..SYMBOL_COUNT, wrong in 1..32_u8) {
        let mut symbols = code(seed).0;
        symbols[place] ^= wrong;
        prop_assert_eq!(GeneratedCode::parse(&GeneratedCode(symbols).key()), None);
    }

    #[test]
    fn two_symbols_that_changed_places_are_noticed(seed: u64, one in 0..SYMBOL_COUNT, other in 0..SYMBOL_COUNT) {
        let code = code(seed);
        let mut symbols = code.0;
        symbols.swap(one, other);
        let expected = (symbols == code.0).then(|| code.clone());
        prop_assert_eq!(GeneratedCode::parse(&GeneratedCode(symbols).key()), expected);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,40}") {
        if let Some(code) = GeneratedCode::parse(&text) {
            prop_assert_eq!(GeneratedCode::parse(&code.to_string()), Some(code));
        }
    }
}
