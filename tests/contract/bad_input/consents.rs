//! What members refuses about companies and consents.

use fealty_proto::members::v1::{
    AcceptPolicyRequest, Company, ConsentGiver, ConsentOrigin, ConsentPurpose, ConsentScope, ContactChannel,
    CreateCompanyRequest, GetConsentsRequest, GrantConsentRequest, ListCompaniesRequest,
    ListConsentHistoryRequest, WithdrawConsentRequest,
};
use fealty_tests::shop::request_id;
use tonic::Code;

use super::case::{Case, FAR_FUTURE, NAME_TOO_LONG, Table, invalid, not_found, refused};
use super::world::World;

/// A version that no shop publishes.
const VERSION_UNKNOWN: i64 = 99;

/// All cases.
pub fn cases(world: &World) -> Vec<Case> {
    [companies, grants, refused_grants, withdrawals, acceptances, reads]
        .into_iter()
        .flat_map(|cases| cases(world))
        .collect()
}

fn origin() -> ConsentOrigin {
    ConsentOrigin {
        giver: ConsentGiver::Member.into(),
        source: "web".to_owned(),
        ..ConsentOrigin::default()
    }
}

fn companies(world: &World) -> Vec<Case> {
    let create = |company_code: &str, display_name: String| CreateCompanyRequest {
        request_id: request_id(),
        company: Some(Company {
            company_code: company_code.to_owned(),
            display_name,
            create_time: None,
        }),
    };
    let made = Table::of(world, "/fealty.members.v1.ConsentService/CreateCompany")
        .row(
            "nothing",
            &CreateCompanyRequest::default(),
            invalid(&["request_id", "company"]),
        )
        .row(
            "a code that is none, with a name without end",
            &create("My shop", "x".repeat(NAME_TOO_LONG)),
            invalid(&["company.company_code", "company.display_name"]),
        );
    let listed =
        Table::of(world, "/fealty.members.v1.ConsentService/ListCompanies").pages(|page_size, page_token| {
            ListCompaniesRequest {
                page_size,
                page_token,
            }
        });
    [made, listed].into_iter().flat_map(Table::done).collect()
}

fn grant(world: &World, member_id: &str) -> GrantConsentRequest {
    GrantConsentRequest {
        request_id: request_id(),
        member_id: member_id.to_owned(),
        purposes: vec![ConsentPurpose::Marketing.into()],
        channels: vec![ContactChannel::Email.into()],
        scope: ConsentScope::Group.into(),
        company_code: String::new(),
        origin: Some(origin()),
        policy_version: world.shop.policy_version,
        consent_time: None,
    }
}

fn grants(world: &World) -> Vec<Case> {
    let ours = || grant(world, &world.ours.member_id);
    let nothing = [
        "request_id",
        "member_id",
        "purposes",
        "channels",
        "scope",
        "origin",
        "policy_version",
    ];
    Table::of(world, "/fealty.members.v1.ConsentService/GrantConsent")
        .row("nothing", &GrantConsentRequest::default(), invalid(&nothing))
        .row(
            "what there is not",
            &GrantConsentRequest {
                purposes: vec![ConsentPurpose::Marketing.into(), 99],
                channels: vec![0],
                scope: 99,
                company_code: "*".to_owned(),
                origin: Some(ConsentOrigin::default()),
                policy_version: -1,
                consent_time: Some(FAR_FUTURE),
                ..ours()
            },
            invalid(&[
                "purposes[1]",
                "channels[0]",
                "scope",
                "company_code",
                "origin.giver",
                "origin.source",
                "policy_version",
                "consent_time",
            ]),
        )
        .row(
            "nothing by channels that are none, twice",
            &GrantConsentRequest {
                purposes: Vec::new(),
                channels: vec![99, ContactChannel::Sms.into(), ContactChannel::Sms.into()],
                ..ours()
            },
            invalid(&["purposes", "channels[0]", "channels[2]"]),
        )
        .row(
            "cookies with what there is not",
            &GrantConsentRequest {
                purposes: vec![ConsentPurpose::DeviceTracking.into(), 99],
                channels: Vec::new(),
                ..ours()
            },
            invalid(&["purposes", "purposes[1]"]),
        )
        .done()
}

fn refused_grants(world: &World) -> Vec<Case> {
    let ours = || grant(world, &world.ours.member_id);
    Table::of(world, "/fealty.members.v1.ConsentService/GrantConsent")
        .row(
            "more channels than there are",
            &GrantConsentRequest {
                channels: vec![ContactChannel::Email.into(); 1_000],
                ..ours()
            },
            invalid(&["channels"]),
        )
        .row(
            "a policy that is not in force",
            &GrantConsentRequest {
                policy_version: VERSION_UNKNOWN,
                ..ours()
            },
            refused(Code::FailedPrecondition, "POLICY_VERSION_OUTDATED"),
        )
        .row(
            "a company that nobody named",
            &GrantConsentRequest {
                company_code: "shoes".to_owned(),
                ..ours()
            },
            not_found(),
        )
        .row(
            "a member of another program",
            &grant(world, &world.theirs.member_id),
            not_found(),
        )
        .done()
}

fn withdrawals(world: &World) -> Vec<Case> {
    let of = |member_id: &str| WithdrawConsentRequest {
        request_id: request_id(),
        member_id: member_id.to_owned(),
        scope: ConsentScope::Group.into(),
        origin: Some(origin()),
        ..WithdrawConsentRequest::default()
    };
    let ours = || of(&world.ours.member_id);
    Table::of(world, "/fealty.members.v1.ConsentService/WithdrawConsent")
        .row(
            "nothing",
            &WithdrawConsentRequest::default(),
            invalid(&["request_id", "member_id", "scope", "origin"]),
        )
        .row(
            "a guardian from another program",
            &WithdrawConsentRequest {
                origin: Some(ConsentOrigin {
                    giver: ConsentGiver::Guardian.into(),
                    guardian_member_id: world.theirs.member_id.clone(),
                    source: "letter".to_owned(),
                }),
                ..ours()
            },
            not_found(),
        )
        .row(
            "a purpose twice",
            &WithdrawConsentRequest {
                purposes: vec![ConsentPurpose::Marketing.into(); 2],
                ..ours()
            },
            invalid(&["purposes[1]"]),
        )
        .row(
            "cookies by e-mail",
            &WithdrawConsentRequest {
                purposes: vec![ConsentPurpose::DeviceTracking.into()],
                channels: vec![ContactChannel::Email.into()],
                ..ours()
            },
            invalid(&["channels"]),
        )
        .row(
            "a member of another program",
            &of(&world.theirs.member_id),
            not_found(),
        )
        .done()
}

fn acceptances(world: &World) -> Vec<Case> {
    let of = |member_id: &str, policy_version| AcceptPolicyRequest {
        request_id: request_id(),
        member_id: member_id.to_owned(),
        policy_version,
        origin: Some(origin()),
        accept_time: None,
    };
    Table::of(world, "/fealty.members.v1.ConsentService/AcceptPolicy")
        .row(
            "nothing",
            &AcceptPolicyRequest::default(),
            invalid(&["request_id", "member_id", "policy_version", "origin"]),
        )
        .row(
            "a policy that is not in force",
            &of(&world.ours.member_id, VERSION_UNKNOWN),
            refused(Code::FailedPrecondition, "POLICY_VERSION_OUTDATED"),
        )
        .row(
            "a member of another program",
            &of(&world.theirs.member_id, world.shop.policy_version),
            not_found(),
        )
        .done()
}

fn reads(world: &World) -> Vec<Case> {
    let get = |member_id: &str, company_code: &str| GetConsentsRequest {
        member_id: member_id.to_owned(),
        company_code: company_code.to_owned(),
    };
    let (ours, theirs) = (&world.ours.member_id, &world.theirs.member_id);
    let got = Table::of(world, "/fealty.members.v1.ConsentService/GetConsents")
        .row(
            "nobody, for no company",
            &get("", "*"),
            invalid(&["member_id", "company_code"]),
        )
        .row("a company that nobody named", &get(ours, "shoes"), not_found())
        .row("a member of another program", &get(theirs, ""), not_found());
    let list = |member_id: &str, page_size, page_token: String| ListConsentHistoryRequest {
        member_id: member_id.to_owned(),
        page_size,
        page_token,
    };
    let listed = Table::of(world, "/fealty.members.v1.ConsentService/ListConsentHistory")
        .row("nobody", &list("", 10, String::new()), invalid(&["member_id"]))
        .pages(|page_size, page_token| list(ours, page_size, page_token))
        .row(
            "a member of another program",
            &list(theirs, 10, String::new()),
            not_found(),
        );
    [got, listed].into_iter().flat_map(Table::done).collect()
}
