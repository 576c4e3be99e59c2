//! How members like to be contacted, and the numbers by which a program does it.

use fealty_postgres::requests::{Made, Request, claim_in_tx};
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_types::{MemberId, ProgramId, Version};
use fealty_vault::DataKey;

use super::domain::{Address, Channel, Preferences, Settings, SettingsChange};
use super::storage::SealedPreferences;
use super::{Contacts, not_found, storage};
use crate::refusal::{MembersError, Refusal, Resource};
use crate::{occasions, people, programs};

impl Contacts {
    /// Sets how a member likes to be contacted, in the place of what was set before.
    pub async fn set_preferences(
        &self,
        program_id: ProgramId,
        request: &Request,
        member_id: MemberId,
        preferences: &Preferences,
    ) -> Result<Made<Preferences>, MembersError> {
        let request = &people::keyed(&self.vault, program_id, request);
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default().repeatable();
        transact(&self.service, "set_contact_preferences", scope, options, |tx| {
            in_tx(async move {
                let claimed = claim_in_tx(&mut *tx, request, member_id.as_uuid(), self.clock.now()).await?;
                let status = people::lock_status_in_tx(&mut *tx, program_id, member_id).await?;
                let status = status.ok_or_else(|| not_found(member_id))?;
                let key = people::find_key_in_tx(&mut *tx, &self.vault, program_id, member_id).await?;
                let key = key.ok_or_else(|| not_found(member_id))?;
                if claimed.is_some() {
                    let kept = storage::find_preferences_in_tx(tx, program_id, member_id).await?;
                    return Ok(Made::before(open(&key, kept)?));
                }
                if status.is_final() {
                    return Err(Refusal::MemberNotActive { member_id, status }.into());
                }
                let sealed = SealedPreferences {
                    update_time: Some(self.clock.now()),
                    ..seal(&key, preferences)
                };
                storage::upsert_preferences_in_tx(&mut *tx, program_id, member_id, &sealed).await?;
                occasions::note_zone_in_tx(tx, program_id, sealed.time_zone).await?;
                Ok::<_, MembersError>(Made::now(Preferences {
                    update_time: sealed.update_time,
                    ..preferences.clone()
                }))
            })
        })
        .await
    }

    /// How a member likes to be contacted.
    pub async fn get_preferences(
        &self,
        program_id: ProgramId,
        member_id: MemberId,
    ) -> Result<Preferences, MembersError> {
        let scope = Scope::Program(program_id);
        let options = TransactOptions::read_only();
        transact(&self.service, "get_contact_preferences", scope, options, |tx| {
            in_tx(async move {
                let key = people::find_key_in_tx(&mut *tx, &self.vault, program_id, member_id).await?;
                let key = key.ok_or_else(|| not_found(member_id))?;
                let kept = storage::find_preferences_in_tx(tx, program_id, member_id).await?;
                Ok::<_, MembersError>(open(&key, kept)?)
            })
        })
        .await
    }

    /// The numbers as they hold.
    pub async fn get_settings(&self, program_id: ProgramId) -> Result<Settings, MembersError> {
        let scope = Scope::Program(program_id);
        let options = TransactOptions::read_only();
        transact(&self.service, "get_contact_settings", scope, options, |tx| {
            in_tx(async move { Ok(storage::find_settings_in_tx(tx, program_id).await?) })
        })
        .await
    }

    /// Changes the numbers, if they still are at the revision that the change is meant for.
    pub async fn update_settings(
        &self,
        program_id: ProgramId,
        meant_for: Option<Version>,
        change: &SettingsChange,
    ) -> Result<Settings, MembersError> {
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default();
        transact(&self.service, "update_contact_settings", scope, options, |tx| {
            in_tx(async move {
                programs::storage::lock_alone_in_tx(&mut *tx, program_id).await?;
                let current = storage::find_settings_in_tx(&mut *tx, program_id).await?;
                if meant_for.is_some_and(|revision| revision != current.revision) {
                    return Err(Refusal::etag_mismatch(Resource::ContactSettings, program_id).into());
                }
                let Some(changed) = current.changed(change) else {
                    return Ok(current);
                };
                storage::upsert_settings_in_tx(tx, program_id, &changed).await?;
                Ok(changed)
            })
        })
        .await
    }
}

/// What an address is bound to.
fn field_of(channel: Channel) -> String {
    format!("contact_address/{}", channel.as_str())
}

fn seal(key: &DataKey, preferences: &Preferences) -> SealedPreferences {
    let seal_one = |it: &Address| (it.channel, key.seal(&field_of(it.channel), &it.address));
    SealedPreferences {
        channels: preferences.channels.clone(),
        addresses: preferences.addresses.iter().map(seal_one).collect(),
        time_zone: preferences.time_zone,
        update_time: preferences.update_time,
    }
}

fn open(key: &DataKey, sealed: SealedPreferences) -> Result<Preferences, StorageError> {
    let open_one = |(channel, address): (Channel, Vec<u8>)| {
        let address = key
            .open_field(&field_of(channel), &address)
            .map_err(|error| StorageError::corrupt("contact_preference.addresses", error))?;
        Ok(Address { channel, address })
    };
    Ok(Preferences {
        channels: sealed.channels,
        addresses: sealed
            .addresses
            .into_iter()
            .map(open_one)
            .collect::<Result<_, StorageError>>()?,
        time_zone: sealed.time_zone,
        update_time: sealed.update_time,
    })
}
