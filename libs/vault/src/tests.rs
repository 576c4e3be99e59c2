//! What the vault promises.

use std::fmt::Write;

use fealty_types::{MemberId, ProgramId};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

fn vault(byte: u8) -> Vault {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode([byte; 32]);
    Vault::new(MasterKey::parse("members", &text).unwrap())
}

fn person(program: u128, member: u128) -> Person {
    Person {
        program_id: ProgramId::try_from(Uuid::from_u128(program)).unwrap(),
        member_id: MemberId::try_from(Uuid::from_u128(member)).unwrap(),
    }
}

#[test]
fn a_master_key_is_32_bytes_in_base64() {
    assert_eq!(
        MasterKey::parse("members", " ").unwrap_err(),
        MasterKeyError::Missing
    );
    for text in ["secret", "c2hvcnQ=", "!!!!"] {
        assert_eq!(
            MasterKey::parse("members", text).unwrap_err(),
            MasterKeyError::Malformed,
            "{text}"
        );
    }
    assert!(MasterKey::parse("members", &MasterKey::generate_text()).is_ok());
}

#[test]
fn nothing_shows_a_key_or_a_person() {
    let text = MasterKey::generate_text();
    let vault = Vault::new(MasterKey::parse("members", &text).unwrap());
    let (key, stored) = vault.create_key(person(1, 1));
    let shown = format!("{vault:?} {key:?} {stored:?} {:?}", Personal::new("Ana"));
    assert!(
        !shown.contains(text.as_str()) && !shown.contains("Ana"),
        "{shown}"
    );
}

#[test]
fn a_key_under_another_master_key_says_so() {
    let (_, stored) = vault(1).create_key(person(1, 1));
    let refused = vault(2).open_key(person(1, 1), &stored).unwrap_err();
    assert!(matches!(refused, VaultError::OtherMasterKey { .. }));
}

#[test]
fn another_service_has_other_keys_from_the_same_master_key() {
    let text = MasterKey::generate_text();
    let of = |service| Vault::new(MasterKey::parse(service, &text).unwrap());
    let (members, surveys) = (of("members"), of("surveys"));
    assert_ne!(members.master_key_id(), surveys.master_key_id());
    let (_, stored) = members.create_key(person(1, 1));
    let refused = surveys.open_key(person(1, 1), &stored).unwrap_err();
    assert!(matches!(refused, VaultError::OtherMasterKey { .. }));
    // Nor by a stored key that claims to lie under this one.
    let claimed = SealedKey {
        master_key_id: surveys.master_key_id().clone(),
        ..stored
    };
    assert_eq!(
        surveys.open_key(person(1, 1), &claimed).unwrap_err(),
        VaultError::Damaged
    );
}

#[test]
fn the_same_value_is_sealed_into_other_bytes_each_time() {
    let (key, _) = vault(1).create_key(person(1, 1));
    let name = Personal::new("Ana");
    assert_ne!(key.seal("given_name", &name), key.seal("given_name", &name));
}

#[test]
fn a_look_up_hash_is_the_same_for_ever() {
    let hash = vault(7).lookup_hash(person(1, 1).program_id, "CARD_NUMBER", &Personal::new("12345674"));
    let mut hexadecimal = String::new();
    for byte in hash.as_bytes() {
        let _ = write!(hexadecimal, "{byte:02x}");
    }
    // Reckoned with Python's hmac. A change here means that nobody in any database is found any more.
    assert_eq!(
        hexadecimal,
        "756795145a6be5ca46d6bac0f3b6bdf32b1eb04dec1792683a064ac4328429cc"
    );
}

#[test]
fn a_command_is_kept_under_a_key_of_its_own_and_by_program() {
    let program = person(1, 1).program_id;
    let kept = vault(1).command_hash(program, &[5; 32]);
    assert_eq!(kept, vault(1).command_hash(program, &[5; 32]));
    assert_ne!(kept, [5; 32]);
    assert_ne!(kept, vault(1).command_hash(program, &[6; 32]));
    assert_ne!(kept, vault(2).command_hash(program, &[5; 32]));
    assert_ne!(kept, vault(1).command_hash(person(2, 1).program_id, &[5; 32]));
}

#[test]
fn a_signature_is_of_its_text_and_of_one_master_key() {
    let signed = vault(1).sign(b"erased");
    assert!(signed.is_of(b"erased") && !signed.is_of(b"erase"));
    assert_eq!(signed, vault(1).sign(b"erased"));
    assert_eq!(signed.public_key, vault(1).signing_key());
    assert_ne!(vault(1).signing_key(), vault(2).signing_key());
    let claimed = Signature {
        public_key: vault(2).signing_key(),
        ..signed
    };
    assert!(!claimed.is_of(b"erased"));
}

proptest! {
    #[test]
    fn what_is_sealed_opens_again(program in 1..u128::MAX, member in 1..u128::MAX, field in "[a-z_]{1,20}", value: String) {
        let vault = vault(1);
        let (_, stored) = vault.create_key(person(program, member));
        let key = vault.open_key(person(program, member), &stored).unwrap();
        let sealed = key.seal(&field, &Personal::new(value.clone()));
        let opened = key.open_field(&field, &sealed).unwrap();
        prop_assert_eq!(opened.expose(), value);
    }

    #[test]
    fn a_ciphertext_opens_in_its_own_place_only(
        value in "[A-Z]{8,40}", program in 1..9_u128, member in 1..9_u128, field in "[ab]", other_program in 1..9_u128,
        other_member in 1..9_u128, other_field in "[ab]",
    ) {
        let vault = vault(1);
        let here = person(program, member);
        let there = person(other_program, other_member);
        let (key, stored) = vault.create_key(here);
        let sealed = key.seal(&field, &Personal::new(value.clone()));
        prop_assert!(!sealed.windows(value.len()).any(|window| window == value.as_bytes()));
        prop_assert_eq!(vault.open_key(there, &stored).is_ok(), here == there);
        prop_assert_eq!(key.open_field(&other_field, &sealed).is_ok(), field == other_field);
        // Even with the very same data key, another person's place does not take it.
        let (other_key, _) = vault.create_key(there);
        prop_assert!(other_key.open_field(&field, &sealed).is_err());
    }

    #[test]
    fn damage_is_noticed(value: String, place: prop::sample::Index, flip in 1..=255_u8) {
        let (key, _) = vault(1).create_key(person(1, 1));
        let mut sealed = key.seal("place", &Personal::new(value));
        let place = place.index(sealed.len());
        sealed[place] ^= flip;
        prop_assert_eq!(key.open_field("place", &sealed).unwrap_err(), VaultError::Damaged);
        let cut = &sealed[..place];
        prop_assert!(key.open_field("place", cut).is_err());
    }

    #[test]
    fn hashes_are_stable_and_apart_by_program_kind_and_value(
        program in 1..4_u128, other_program in 1..4_u128, kind in "[AB]", other_kind in "[AB]", value in "[ab]{0,2}",
        other_value in "[ab]{0,2}",
    ) {
        let vault = vault(1);
        let one = vault.lookup_hash(person(program, 1).program_id, &kind, &Personal::new(value.clone()));
        let other = vault.lookup_hash(person(other_program, 1).program_id, &other_kind, &Personal::new(other_value.clone()));
        let same = (program, &kind, &value) == (other_program, &other_kind, &other_value);
        prop_assert_eq!(one == other, same);
        prop_assert_ne!(one, self::vault(2).lookup_hash(person(program, 1).program_id, &kind, &Personal::new(value)));
    }
}
