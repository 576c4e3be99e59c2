//! The companies that a program names.

use fealty_postgres::requests::{Made, Request, claim_in_tx};
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_types::{ProgramId, uuid_v7};

use super::domain::{COMPANIES_MAX, Company, CompanyCode};
use super::{Consents, storage};
use crate::display_name::DisplayName;
use crate::programs;
use crate::refusal::{MembersError, Refusal, Resource};

impl Consents {
    /// Names a company of the group.
    pub async fn create_company(
        &self,
        program_id: ProgramId,
        request: &Request,
        company_code: &CompanyCode,
        display_name: &DisplayName,
    ) -> Result<Made<Company>, MembersError> {
        let now = self.clock.now();
        let company = &Company {
            company_code: company_code.clone(),
            company_id: uuid_v7(now),
            display_name: display_name.clone(),
            create_time: now,
        };
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default().repeatable();
        transact(&self.service, "create_company", scope, options, |tx| {
            in_tx(async move {
                if let Some(made) = claim_in_tx(&mut *tx, request, company.company_id, now).await? {
                    let found = storage::find_company_by_id_in_tx(tx, program_id, made).await?;
                    let corrupt = || StorageError::corrupt("request.resource_id", "names no company");
                    return Ok(Made::before(found.ok_or_else(corrupt)?));
                }
                programs::storage::lock_alone_in_tx(&mut *tx, program_id).await?;
                let count = storage::count_companies_in_tx(&mut *tx, program_id).await?;
                if storage::find_company_in_tx(&mut *tx, program_id, company_code)
                    .await?
                    .is_some()
                {
                    return Err(Refusal::exists(Resource::Company, company_code).into());
                }
                if count >= COMPANIES_MAX {
                    return Err(Refusal::CompaniesFull {
                        count_max: COMPANIES_MAX,
                    }
                    .into());
                }
                storage::insert_company_in_tx(tx, program_id, company).await?;
                Ok::<_, MembersError>(Made::now(company.clone()))
            })
        })
        .await
    }

    /// The companies after one, by their codes.
    pub async fn list_companies(
        &self,
        program_id: ProgramId,
        after: Option<&str>,
        count_max: i64,
    ) -> Result<Vec<Company>, MembersError> {
        let scope = Scope::Program(program_id);
        let options = TransactOptions::read_only();
        transact(&self.service, "list_companies", scope, options, |tx| {
            in_tx(async move { Ok(storage::list_companies_in_tx(tx, program_id, after, count_max).await?) })
        })
        .await
    }
}
