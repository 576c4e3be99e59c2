//! Calls the members service: programs, keys, staff, policies, members, households, consents, contacts, tiers.

use std::time::Duration;

use fealty_proto::access::v1::{
    ExportPersonalDataRequest, ExportPersonalDataResponse, ListAccessChangesRequest,
    ListAccessChangesResponse, ListPersonalReadsRequest, ListPersonalReadsResponse,
};
use fealty_proto::members::v1::{
    AcceptHouseholdInvitationRequest, AcceptHouseholdInvitationResponse, AcceptPolicyRequest,
    AcceptPolicyResponse, AddHouseholdMemberRequest, AddHouseholdMemberResponse, AddIdentifierRequest,
    AddIdentifierResponse, BatchGetMembersRequest, BatchGetMembersResponse, BlockCardRequest,
    BlockCardResponse, CheckEntitlementRequest, CheckEntitlementResponse, CloseReferralCodeRequest,
    CloseReferralCodeResponse, ConfirmErasureRequest, ConfirmErasureResponse, CreateApiKeyRequest,
    CreateApiKeyResponse, CreateCompanyRequest, CreateCompanyResponse, CreateHouseholdRequest,
    CreateHouseholdResponse, CreateProgramRequest, CreateProgramResponse, CreateStaffMemberRequest,
    CreateStaffMemberResponse, DeclineHouseholdInvitationRequest, DeclineHouseholdInvitationResponse,
    DissolveHouseholdRequest, DissolveHouseholdResponse, EndContractRequest, EndContractResponse,
    EnrolMemberRequest, EnrolMemberResponse, EraseMemberRequest, EraseMemberResponse, EvaluateLadderRequest,
    ExplainContactRequest, ExplainContactResponse, GetCardRequest, GetCardResponse, GetConsentsRequest,
    GetConsentsResponse, GetContactPreferencesRequest, GetContactPreferencesResponse,
    GetContactSettingsRequest, GetContactSettingsResponse, GetErasureRequest, GetErasureResponse,
    GetHouseholdRequest, GetHouseholdResponse, GetLadderRequest, GetLadderResponse, GetMemberDaysRequest,
    GetMemberDaysResponse, GetMemberRequest, GetMemberResponse, GetMemberTiersRequest,
    GetMemberTiersResponse, GetPolicyRequest, GetPolicyResponse, GetProgramDaysRequest,
    GetProgramDaysResponse, GetProgramRequest, GetProgramResponse, GetReferralFactorRequest,
    GetReferralFactorResponse, GetReferralRequest, GetReferralResponse, GetReferralSettingsRequest,
    GetReferralSettingsResponse, GetReferralTreeRequest, GetReferralTreeResponse, GetRetentionRequest,
    GetRetentionResponse, GetStaffMemberRequest, GetStaffMemberResponse, GrantConsentRequest,
    GrantConsentResponse, GrantTierRequest, GrantTierResponse, InviteToHouseholdRequest,
    InviteToHouseholdResponse, IssueCardsRequest, IssueCardsResponse, IssueMemberTokenRequest,
    IssueMemberTokenResponse, IssueReferralCodeRequest, IssueReferralCodeResponse, LeaveHouseholdRequest,
    LeaveHouseholdResponse, LiftLegalHoldRequest, LiftLegalHoldResponse, ListApiKeysRequest,
    ListApiKeysResponse, ListCardBatchesRequest, ListCardBatchesResponse, ListCardsRequest,
    ListCardsResponse, ListCompaniesRequest, ListCompaniesResponse, ListConsentHistoryRequest,
    ListConsentHistoryResponse, ListDisclosuresRequest, ListDisclosuresResponse, ListDueOccasionsRequest,
    ListDueOccasionsResponse, ListDuplicateCandidatesRequest, ListDuplicateCandidatesResponse,
    ListErasuresRequest, ListErasuresResponse, ListHouseholdInvitationsRequest,
    ListHouseholdInvitationsResponse, ListIdentifierHistoryRequest, ListIdentifierHistoryResponse,
    ListLaddersRequest, ListLaddersResponse, ListMembersRequest, ListMembersResponse, ListPoliciesRequest,
    ListPoliciesResponse, ListProgramsRequest, ListProgramsResponse, ListPurgeableMembersRequest,
    ListPurgeableMembersResponse, ListReferralCodesRequest, ListReferralCodesResponse, ListReferralsRequest,
    ListReferralsResponse, ListStaffMembersRequest, ListStaffMembersResponse, ListTierChangesRequest,
    ListTierChangesResponse, ListTierGrantsRequest, ListTierGrantsResponse, ListTopicOptOutsRequest,
    ListTopicOptOutsResponse, LookupMemberRequest, LookupMemberResponse, MarkIdentifierVerifiedRequest,
    MarkIdentifierVerifiedResponse, MayContactRequest, MayContactResponse, MergeMembersRequest,
    MergeMembersResponse, OptOutTopicRequest, OptOutTopicResponse, PlaceLegalHoldRequest,
    PlaceLegalHoldResponse, ProjectReferralsRequest, ProjectReferralsResponse, PublishLadderRequest,
    PublishLadderResponse, PublishPolicyRequest, PublishPolicyResponse, RecordDisclosureRequest,
    RecordDisclosureResponse, RecordReferralRequest, RecordReferralResponse, RemoveHouseholdMemberRequest,
    RemoveHouseholdMemberResponse, RemoveIdentifierRequest, RemoveIdentifierResponse, ReplaceCardRequest,
    ReplaceCardResponse, ReportDeliveryRequest, ReportDeliveryResponse, ReportReferralInvitesRequest,
    ReportReferralInvitesResponse, RetireLadderRequest, RetireLadderResponse, ReviewReferralRequest,
    ReviewReferralResponse, RevokeApiKeyRequest, RevokeApiKeyResponse, RevokeTierGrantRequest,
    RevokeTierGrantResponse, SetContactPreferencesRequest, SetContactPreferencesResponse,
    SetHouseholdTermsRequest, SetHouseholdTermsResponse, SetMemberDaysRequest, SetMemberDaysResponse,
    SetMemberStatusRequest, SetMemberStatusResponse, SetMemberTierRequest, SetMemberTierResponse,
    SetProgramDaysRequest, SetProgramDaysResponse, SetReferralSettingsRequest, SetReferralSettingsResponse,
    UpdateContactSettingsRequest, UpdateContactSettingsResponse, UpdateMemberRequest, UpdateMemberResponse,
    UpdateProgramRequest, UpdateProgramResponse, UpdateStaffMemberRequest, UpdateStaffMemberResponse,
    WithdrawConsentRequest, WithdrawConsentResponse, WithdrawHouseholdInvitationRequest,
    WithdrawHouseholdInvitationResponse,
};
use fealty_types::ProgramId;

use crate::caller::Caller;
use crate::evaluation::LadderEvaluation;
use crate::method::{Shows, methods};
use crate::{Answer, CallError, ClientConfig, ConnectError};

/// Calls the members service: programs, keys, staff, policies, members, households, consents, contacts, tiers. Cheap to clone; clones share connections, retry budget and the versions seen.
#[derive(Debug, Clone)]
pub struct MembersClient {
    caller: Caller,
}

impl MembersClient {
    /// Prepares a client. It connects with its first call.
    pub fn try_new(config: &ClientConfig) -> Result<Self, ConnectError> {
        Ok(Self {
            caller: Caller::try_new(config)?,
        })
    }

    /// The same client, speaking about a program: for keys that are bound to none.
    #[must_use]
    pub fn for_program(&self, program_id: ProgramId) -> Self {
        Self {
            caller: self.caller.for_program(program_id),
        }
    }

    /// The same client with another deadline: for callers who have only so much time left themselves.
    #[must_use]
    pub fn within(&self, deadline: Duration) -> Self {
        Self {
            caller: self.caller.within(deadline),
        }
    }

    /// Tries a ladder on all members. Nothing is asked for before the first [`LadderEvaluation::next`].
    #[must_use]
    pub fn evaluate_ladder(&self, request: EvaluateLadderRequest) -> LadderEvaluation {
        LadderEvaluation::new(self.caller.clone(), request)
    }

    methods! {
        /// Everything that members keeps about a member, opened, in pages.
        export_personal_data("/fealty.access.v1.PersonalDataService/ExportPersonalData"): read ExportPersonalDataRequest => ExportPersonalDataResponse;
        /// Reads of the program's personal data in members, newest first.
        list_personal_reads("/fealty.access.v1.ReadAuditService/ListPersonalReads"): read ListPersonalReadsRequest => ListPersonalReadsResponse;
        /// Erases a person in all services.
        erase_member("/fealty.members.v1.ErasureService/EraseMember"): write EraseMemberRequest => EraseMemberResponse;
        /// One erasure, with its receipt once there is one.
        get_erasure("/fealty.members.v1.ErasureService/GetErasure"): read GetErasureRequest => GetErasureResponse;
        /// The program's erasures, oldest first.
        list_erasures("/fealty.members.v1.ErasureService/ListErasures"): read ListErasuresRequest => ListErasuresResponse;
        /// Says that a service has erased its part.
        confirm_erasure("/fealty.members.v1.ErasureService/ConfirmErasure"): read ConfirmErasureRequest => ConfirmErasureResponse;
        /// Says when the contract with a member ended.
        end_contract("/fealty.members.v1.RetentionService/EndContract"): write EndContractRequest => EndContractResponse;
        /// From when on a member's data may be erased, and what stands against it.
        get_retention("/fealty.members.v1.RetentionService/GetRetention"): read GetRetentionRequest => GetRetentionResponse;
        /// Members whose data may be erased because its time has ended.
        list_purgeable_members("/fealty.members.v1.RetentionService/ListPurgeableMembers"): read ListPurgeableMembersRequest => ListPurgeableMembersResponse;
        /// Holds a person's data.
        place_legal_hold("/fealty.members.v1.RetentionService/PlaceLegalHold"): write PlaceLegalHoldRequest => PlaceLegalHoldResponse;
        /// Lifts a hold.
        lift_legal_hold("/fealty.members.v1.RetentionService/LiftLegalHold"): read LiftLegalHoldRequest => LiftLegalHoldResponse;
        /// Records a disclosure.
        record_disclosure("/fealty.members.v1.DisclosureService/RecordDisclosure"): write RecordDisclosureRequest => RecordDisclosureResponse;
        /// What was disclosed about a member, newest first.
        list_disclosures("/fealty.members.v1.DisclosureService/ListDisclosures"): read ListDisclosuresRequest => ListDisclosuresResponse;
        /// The changes of access records after a position, oldest first: what the other services follow.
        list_access_changes("/fealty.access.v1.AccessFeedService/ListAccessChanges"): read ListAccessChangesRequest => ListAccessChangesResponse;
        /// Creates a key of the caller's program. Its text is in this answer and nowhere else, ever: a retry with the same
        /// request id is answered without it. A key cannot hand out a scope that it lacks itself.
        create_api_key("/fealty.members.v1.ApiKeyService/CreateApiKey"): write CreateApiKeyRequest => CreateApiKeyResponse;
        /// Keys of the caller's program, oldest first, revoked ones among them.
        list_api_keys("/fealty.members.v1.ApiKeyService/ListApiKeys"): read ListApiKeysRequest => ListApiKeysResponse;
        /// Ends a key for good, in every service within 5 seconds. Revoking it again changes nothing.
        revoke_api_key("/fealty.members.v1.ApiKeyService/RevokeApiKey"): read RevokeApiKeyRequest => RevokeApiKeyResponse;
        /// Issues a token that an app or a web page shows in place of a key: for one member, for some minutes.
        issue_member_token("/fealty.members.v1.MemberTokenService/IssueMemberToken"): read IssueMemberTokenRequest => IssueMemberTokenResponse;
        /// Names a company of the group that runs the program.
        create_company("/fealty.members.v1.ConsentService/CreateCompany"): write CreateCompanyRequest => CreateCompanyResponse;
        /// The program's companies, by their codes.
        list_companies("/fealty.members.v1.ConsentService/ListCompanies"): read ListCompaniesRequest => ListCompaniesResponse;
        /// Records what a member allows, under the policy in force.
        grant_consent("/fealty.members.v1.ConsentService/GrantConsent"): write GrantConsentRequest => GrantConsentResponse;
        /// Records what a member allows no longer. It holds from this answer on.
        withdraw_consent("/fealty.members.v1.ConsentService/WithdrawConsent"): write WithdrawConsentRequest => WithdrawConsentResponse;
        /// What a member allows one company now.
        get_consents("/fealty.members.v1.ConsentService/GetConsents"): read GetConsentsRequest => GetConsentsResponse;
        /// Everything that a member has ever allowed, withdrawn and accepted, newest first.
        list_consent_history("/fealty.members.v1.ConsentService/ListConsentHistory"): read ListConsentHistoryRequest => ListConsentHistoryResponse;
        /// Records that a member accepts the policy in force.
        accept_policy("/fealty.members.v1.ConsentService/AcceptPolicy"): write AcceptPolicyRequest => AcceptPolicyResponse;
        /// Decides whether a member may be contacted, and reserves a yes, so that two senders cannot both pass a
        /// bound.
        may_contact("/fealty.members.v1.ContactService/MayContact"): write MayContactRequest => MayContactResponse;
        /// What would be decided about a contact now: every rule with its outcome and the facts that it used.
        explain_contact("/fealty.members.v1.ContactService/ExplainContact"): read ExplainContactRequest => ExplainContactResponse;
        /// Says what became of a contact that was allowed. To say the same again changes nothing.
        report_delivery("/fealty.members.v1.ContactService/ReportDelivery"): read ReportDeliveryRequest => ReportDeliveryResponse;
        /// Sets how a member likes to be contacted, in the place of what was set before.
        set_contact_preferences("/fealty.members.v1.ContactService/SetContactPreferences"): write SetContactPreferencesRequest => SetContactPreferencesResponse;
        /// How a member likes to be contacted.
        get_contact_preferences("/fealty.members.v1.ContactService/GetContactPreferences"): read GetContactPreferencesRequest => GetContactPreferencesResponse;
        /// The numbers by which the program contacts its members.
        get_contact_settings("/fealty.members.v1.ContactService/GetContactSettings"): read GetContactSettingsRequest => GetContactSettingsResponse;
        /// Changes the numbers by which the program contacts its members.
        update_contact_settings("/fealty.members.v1.ContactService/UpdateContactSettings"): read UpdateContactSettingsRequest => UpdateContactSettingsResponse;
        /// Ends a topic for a member, for ever. Doing it again changes nothing.
        opt_out_topic("/fealty.members.v1.ContactService/OptOutTopic"): read OptOutTopicRequest => OptOutTopicResponse;
        /// The topics that a member has opted out of.
        list_topic_opt_outs("/fealty.members.v1.ContactService/ListTopicOptOuts"): read ListTopicOptOutsRequest => ListTopicOptOutsResponse;
        /// Publishes a ladder, or the next version of one, which is in force from this answer on.
        publish_ladder("/fealty.members.v1.TierService/PublishLadder"): write PublishLadderRequest => PublishLadderResponse;
        /// A version of a ladder.
        get_ladder("/fealty.members.v1.TierService/GetLadder"): read GetLadderRequest => GetLadderResponse;
        /// The newest version of each ladder, by their codes.
        list_ladders("/fealty.members.v1.TierService/ListLadders"): read ListLaddersRequest => ListLaddersResponse;
        /// Ends a ladder for good. Doing it again changes nothing.
        retire_ladder("/fealty.members.v1.TierService/RetireLadder"): write RetireLadderRequest => RetireLadderResponse;
        /// Where a member stands on each ladder, and how far it is to the next tier.
        get_member_tiers("/fealty.members.v1.TierService/GetMemberTiers"): read GetMemberTiersRequest => GetMemberTiersResponse;
        /// Whether a member has a benefit now, and by which tiers.
        check_entitlement("/fealty.members.v1.TierService/CheckEntitlement"): read CheckEntitlementRequest => CheckEntitlementResponse;
        /// How a member came into their tiers and out of them, newest first.
        list_tier_changes("/fealty.members.v1.TierService/ListTierChanges"): read ListTierChangesRequest => ListTierChangesResponse;
        /// Grants a member a tier, whatever their balance is.
        grant_tier("/fealty.members.v1.TierService/GrantTier"): write GrantTierRequest => GrantTierResponse;
        /// Ends a grant now. Doing it again changes nothing.
        revoke_tier_grant("/fealty.members.v1.TierService/RevokeTierGrant"): write RevokeTierGrantRequest => RevokeTierGrantResponse;
        /// The grants of a member, newest first.
        list_tier_grants("/fealty.members.v1.TierService/ListTierGrants"): read ListTierGrantsRequest => ListTierGrantsResponse;
        /// Sets the program's days, in the place of those that were set before.
        set_program_days("/fealty.members.v1.OccasionService/SetProgramDays"): write SetProgramDaysRequest => SetProgramDaysResponse;
        /// The program's days, by their codes.
        get_program_days("/fealty.members.v1.OccasionService/GetProgramDays"): read GetProgramDaysRequest => GetProgramDaysResponse;
        /// Sets a member's own days, in the place of those that were set before.
        set_member_days("/fealty.members.v1.OccasionService/SetMemberDays"): write SetMemberDaysRequest => SetMemberDaysResponse;
        /// A member's own days, by their codes.
        get_member_days("/fealty.members.v1.OccasionService/GetMemberDays"): read GetMemberDaysRequest => GetMemberDaysResponse;
        /// The occasions of a day, or of several in a row.
        list_due_occasions("/fealty.members.v1.OccasionService/ListDueOccasions"): read ListDueOccasionsRequest => ListDueOccasionsResponse;
        /// Enrols a person who has accepted the policy in force. Once this answers, the ledger knows them too: points can be
        /// posted at once.
        enrol_member("/fealty.members.v1.MemberService/EnrolMember"): write EnrolMemberRequest => EnrolMemberResponse;
        /// One member.
        get_member("/fealty.members.v1.MemberService/GetMember"): read GetMemberRequest => GetMemberResponse;
        /// Several members at once. Who is not there is named, and hides nobody else.
        batch_get_members("/fealty.members.v1.MemberService/BatchGetMembers"): read BatchGetMembersRequest => BatchGetMembersResponse;
        /// Finds a member by one identifier: what a till does with a card.
        lookup_member("/fealty.members.v1.MemberService/LookupMember"): read LookupMemberRequest => LookupMemberResponse;
        /// Changes a member's profile.
        update_member("/fealty.members.v1.MemberService/UpdateMember"): read UpdateMemberRequest => UpdateMemberResponse;
        /// Members in the order of their enrolment.
        list_members("/fealty.members.v1.MemberService/ListMembers"): read ListMembersRequest => ListMembersResponse;
        /// Gives a member one more identifier.
        add_identifier("/fealty.members.v1.MemberService/AddIdentifier"): write AddIdentifierRequest => AddIdentifierResponse;
        /// Says that a member showed a phone number or e-mail address to be theirs.
        mark_identifier_verified("/fealty.members.v1.MemberService/MarkIdentifierVerified"): write MarkIdentifierVerifiedRequest => MarkIdentifierVerifiedResponse;
        /// What became of a member's identifiers, also of those that were taken away.
        list_identifier_history("/fealty.members.v1.MemberService/ListIdentifierHistory"): read ListIdentifierHistoryRequest => ListIdentifierHistoryResponse;
        /// Makes a batch of cards that belong to nobody yet.
        issue_cards("/fealty.members.v1.CardService/IssueCards"): write IssueCardsRequest => IssueCardsResponse;
        /// Batches of cards, oldest first.
        list_card_batches("/fealty.members.v1.CardService/ListCardBatches"): read ListCardBatchesRequest => ListCardBatchesResponse;
        /// The cards of a batch, in the order of their numbers' making.
        list_cards("/fealty.members.v1.CardService/ListCards"): read ListCardsRequest => ListCardsResponse;
        /// One card by its number, whatever has become of it.
        get_card("/fealty.members.v1.CardService/GetCard"): read GetCardRequest => GetCardResponse;
        /// Ends a card, whether somebody has it or not.
        block_card("/fealty.members.v1.CardService/BlockCard"): write BlockCardRequest => BlockCardResponse;
        /// Gives the member who has a card another one in its stead.
        replace_card("/fealty.members.v1.CardService/ReplaceCard"): write ReplaceCardRequest => ReplaceCardResponse;
        /// Records that may be of one person, by what they have in common.
        list_duplicate_candidates("/fealty.members.v1.MemberService/ListDuplicateCandidates"): read ListDuplicateCandidatesRequest => ListDuplicateCandidatesResponse;
        /// Changes what a member may do. Once this answers, the ledger holds to it too.
        set_member_status("/fealty.members.v1.MemberService/SetMemberStatus"): write SetMemberStatusRequest => SetMemberStatusResponse;
        /// Merges two records of one person: identifiers and points of the one move to the other.
        merge_members("/fealty.members.v1.MemberService/MergeMembers"): write MergeMembersRequest => MergeMembersResponse;
        /// Makes a household of one member, whose points become the household's.
        create_household("/fealty.members.v1.HouseholdService/CreateHousehold"): write CreateHouseholdRequest => CreateHouseholdResponse;
        /// One household, with its members.
        get_household("/fealty.members.v1.HouseholdService/GetHousehold"): read GetHouseholdRequest => GetHouseholdResponse;
        /// Adds a member to a household, whose points become the household's.
        add_household_member("/fealty.members.v1.HouseholdService/AddHouseholdMember"): write AddHouseholdMemberRequest => AddHouseholdMemberResponse;
        /// Takes a member out of a household. What it has, it keeps.
        remove_household_member("/fealty.members.v1.HouseholdService/RemoveHouseholdMember"): write RemoveHouseholdMemberRequest => RemoveHouseholdMemberResponse;
        /// Leaves a household. What it has, it keeps.
        leave_household("/fealty.members.v1.HouseholdService/LeaveHousehold"): write LeaveHouseholdRequest => LeaveHouseholdResponse;
        /// Says what a member of a household may do, and how much they may spend.
        set_household_terms("/fealty.members.v1.HouseholdService/SetHouseholdTerms"): write SetHouseholdTermsRequest => SetHouseholdTermsResponse;
        /// Ends a household: what it has goes to its members, as the policy says.
        dissolve_household("/fealty.members.v1.HouseholdService/DissolveHousehold"): write DissolveHouseholdRequest => DissolveHouseholdResponse;
        /// Invites a member to a household.
        invite_to_household("/fealty.members.v1.HouseholdService/InviteToHousehold"): write InviteToHouseholdRequest => InviteToHouseholdResponse;
        /// Accepts an invitation: the invited member joins the household.
        accept_household_invitation("/fealty.members.v1.HouseholdService/AcceptHouseholdInvitation"): write AcceptHouseholdInvitationRequest => AcceptHouseholdInvitationResponse;
        /// Declines an invitation to a household.
        decline_household_invitation("/fealty.members.v1.HouseholdService/DeclineHouseholdInvitation"): read DeclineHouseholdInvitationRequest => DeclineHouseholdInvitationResponse;
        /// Withdraws an invitation to a household.
        withdraw_household_invitation("/fealty.members.v1.HouseholdService/WithdrawHouseholdInvitation"): read WithdrawHouseholdInvitationRequest => WithdrawHouseholdInvitationResponse;
        /// Invitations of a household or to a member, newest first.
        list_household_invitations("/fealty.members.v1.HouseholdService/ListHouseholdInvitations"): read ListHouseholdInvitationsRequest => ListHouseholdInvitationsResponse;
        /// Gives a member a code by which they bring others.
        issue_referral_code("/fealty.members.v1.ReferralService/IssueReferralCode"): write IssueReferralCodeRequest => IssueReferralCodeResponse;
        /// A member's codes, newest first.
        list_referral_codes("/fealty.members.v1.ReferralService/ListReferralCodes"): read ListReferralCodesRequest => ListReferralCodesResponse;
        /// Ends a code: nobody is brought by it any more.
        close_referral_code("/fealty.members.v1.ReferralService/CloseReferralCode"): read CloseReferralCodeRequest => CloseReferralCodeResponse;
        /// Tells how many invitations were sent by a code.
        report_referral_invites("/fealty.members.v1.ReferralService/ReportReferralInvites"): write ReportReferralInvitesRequest => ReportReferralInvitesResponse;
        /// Records by hand who brought a member.
        record_referral("/fealty.members.v1.ReferralService/RecordReferral"): write RecordReferralRequest => RecordReferralResponse;
        /// Decides about a referral that is held.
        review_referral("/fealty.members.v1.ReferralService/ReviewReferral"): read ReviewReferralRequest => ReviewReferralResponse;
        /// Who brought a member.
        get_referral("/fealty.members.v1.ReferralService/GetReferral"): read GetReferralRequest => GetReferralResponse;
        /// Whom a member brought, or everybody's referrals in one state.
        list_referrals("/fealty.members.v1.ReferralService/ListReferrals"): read ListReferralsRequest => ListReferralsResponse;
        /// Whom a member brought, whom those brought, and so on.
        get_referral_tree("/fealty.members.v1.ReferralService/GetReferralTree"): read GetReferralTreeRequest => GetReferralTreeResponse;
        /// How the program handles referrals.
        get_referral_settings("/fealty.members.v1.ReferralService/GetReferralSettings"): read GetReferralSettingsRequest => GetReferralSettingsResponse;
        /// Changes how the program handles referrals.
        set_referral_settings("/fealty.members.v1.ReferralService/SetReferralSettings"): read SetReferralSettingsRequest => SetReferralSettingsResponse;
        /// How many members one member brings.
        get_referral_factor("/fealty.members.v1.ReferralService/GetReferralFactor"): read GetReferralFactorRequest => GetReferralFactorResponse;
        /// How a program grows by a factor.
        project_referrals("/fealty.members.v1.ReferralService/ProjectReferrals"): read ProjectReferralsRequest => ProjectReferralsResponse;
        /// Puts a member into a tier, or out of all of them.
        set_member_tier("/fealty.members.v1.MemberService/SetMemberTier"): write SetMemberTierRequest => SetMemberTierResponse;
        /// Takes an identifier away. It finds nobody any more and may be given to another member. Removing it again changes
        /// nothing.
        remove_identifier("/fealty.members.v1.MemberService/RemoveIdentifier"): read RemoveIdentifierRequest => RemoveIdentifierResponse;
        /// Publishes the next version of the program's policy. It is in force from its effective time until the next one's.
        publish_policy("/fealty.members.v1.PolicyService/PublishPolicy"): write PublishPolicyRequest => PublishPolicyResponse;
        /// One version, or the one in force.
        get_policy("/fealty.members.v1.PolicyService/GetPolicy"): read GetPolicyRequest => GetPolicyResponse;
        /// All versions, newest first.
        list_policies("/fealty.members.v1.PolicyService/ListPolicies"): read ListPoliciesRequest => ListPoliciesResponse;
        /// Creates a program.
        create_program("/fealty.members.v1.ProgramService/CreateProgram"): write CreateProgramRequest => CreateProgramResponse;
        /// The caller's program: that of its key, or that which a suite key names.
        get_program("/fealty.members.v1.ProgramService/GetProgram"): read GetProgramRequest => GetProgramResponse;
        /// Changes the caller's program.
        update_program("/fealty.members.v1.ProgramService/UpdateProgram"): read UpdateProgramRequest => UpdateProgramResponse;
        /// All programs, oldest first.
        list_programs("/fealty.members.v1.ProgramService/ListPrograms"): read ListProgramsRequest => ListProgramsResponse;
        /// Adds a staff member to the caller's program.
        create_staff_member("/fealty.members.v1.StaffService/CreateStaffMember"): write CreateStaffMemberRequest => CreateStaffMemberResponse;
        /// One staff member.
        get_staff_member("/fealty.members.v1.StaffService/GetStaffMember"): read GetStaffMemberRequest => GetStaffMemberResponse;
        /// Changes a staff member. One who is inactive is refused with each of their keys, within 5 seconds everywhere.
        update_staff_member("/fealty.members.v1.StaffService/UpdateStaffMember"): read UpdateStaffMemberRequest => UpdateStaffMemberResponse;
        /// The program's staff, oldest first.
        list_staff_members("/fealty.members.v1.StaffService/ListStaffMembers"): read ListStaffMembersRequest => ListStaffMembersResponse;
    }
}

impl Shows for IssueReferralCodeResponse {}
impl Shows for ListReferralCodesResponse {}
impl Shows for CloseReferralCodeResponse {}
impl Shows for ReportReferralInvitesResponse {}
impl Shows for RecordReferralResponse {}
impl Shows for ReviewReferralResponse {}
impl Shows for GetReferralResponse {}
impl Shows for ListReferralsResponse {}
impl Shows for GetReferralTreeResponse {}
impl Shows for GetReferralSettingsResponse {}
impl Shows for SetReferralSettingsResponse {}
impl Shows for GetReferralFactorResponse {}
impl Shows for ProjectReferralsResponse {}
impl Shows for LeaveHouseholdResponse {}
impl Shows for SetHouseholdTermsResponse {}
impl Shows for DissolveHouseholdResponse {}
impl Shows for InviteToHouseholdResponse {}
impl Shows for AcceptHouseholdInvitationResponse {}
impl Shows for DeclineHouseholdInvitationResponse {}
impl Shows for WithdrawHouseholdInvitationResponse {}
impl Shows for ListHouseholdInvitationsResponse {}
impl Shows for ListAccessChangesResponse {}
impl Shows for CreateApiKeyResponse {}
impl Shows for ListApiKeysResponse {}
impl Shows for IssueMemberTokenResponse {}
impl Shows for RevokeApiKeyResponse {}
impl Shows for MayContactResponse {}
impl Shows for CreateCompanyResponse {}
impl Shows for ListCompaniesResponse {}
impl Shows for GrantConsentResponse {}
impl Shows for WithdrawConsentResponse {}
impl Shows for SetProgramDaysResponse {}
impl Shows for GetProgramDaysResponse {}
impl Shows for SetMemberDaysResponse {}
impl Shows for GetMemberDaysResponse {}
impl Shows for ListDueOccasionsResponse {}
impl Shows for GetConsentsResponse {}
impl Shows for ListConsentHistoryResponse {}
impl Shows for AcceptPolicyResponse {}
impl Shows for ExplainContactResponse {}
impl Shows for ReportDeliveryResponse {}
impl Shows for SetContactPreferencesResponse {}
impl Shows for GetContactPreferencesResponse {}
impl Shows for GetContactSettingsResponse {}
impl Shows for UpdateContactSettingsResponse {}
impl Shows for OptOutTopicResponse {}
impl Shows for ListTopicOptOutsResponse {}
impl Shows for PublishLadderResponse {}
impl Shows for GetLadderResponse {}
impl Shows for ListLaddersResponse {}
impl Shows for RetireLadderResponse {}
impl Shows for GetMemberTiersResponse {}
impl Shows for CheckEntitlementResponse {}
impl Shows for ListTierChangesResponse {}
impl Shows for GrantTierResponse {}
impl Shows for RevokeTierGrantResponse {}
impl Shows for ListTierGrantsResponse {}
impl Shows for EnrolMemberResponse {}
impl Shows for GetMemberResponse {}
impl Shows for BatchGetMembersResponse {}
impl Shows for ListDuplicateCandidatesResponse {}
impl Shows for MarkIdentifierVerifiedResponse {}
impl Shows for ListIdentifierHistoryResponse {}
impl Shows for IssueCardsResponse {}
impl Shows for ListCardBatchesResponse {}
impl Shows for ListCardsResponse {}
impl Shows for GetCardResponse {}
impl Shows for BlockCardResponse {}
impl Shows for ReplaceCardResponse {}
impl Shows for LookupMemberResponse {}
impl Shows for UpdateMemberResponse {}
impl Shows for ListMembersResponse {}
impl Shows for AddIdentifierResponse {}
impl Shows for SetMemberStatusResponse {}
impl Shows for SetMemberTierResponse {}
impl Shows for MergeMembersResponse {}
impl Shows for CreateHouseholdResponse {}
impl Shows for GetHouseholdResponse {}
impl Shows for AddHouseholdMemberResponse {}
impl Shows for RemoveHouseholdMemberResponse {}
impl Shows for RemoveIdentifierResponse {}
impl Shows for PublishPolicyResponse {}
impl Shows for GetPolicyResponse {}
impl Shows for ListPoliciesResponse {}
impl Shows for CreateProgramResponse {}
impl Shows for GetProgramResponse {}
impl Shows for UpdateProgramResponse {}
impl Shows for ListProgramsResponse {}
impl Shows for CreateStaffMemberResponse {}
impl Shows for GetStaffMemberResponse {}
impl Shows for UpdateStaffMemberResponse {}
impl Shows for ListStaffMembersResponse {}
impl Shows for ExportPersonalDataResponse {}
impl Shows for ListPersonalReadsResponse {}
impl Shows for EraseMemberResponse {}
impl Shows for GetErasureResponse {}
impl Shows for ListErasuresResponse {}
impl Shows for ConfirmErasureResponse {}
impl Shows for EndContractResponse {}
impl Shows for GetRetentionResponse {}
impl Shows for ListPurgeableMembersResponse {}
impl Shows for PlaceLegalHoldResponse {}
impl Shows for LiftLegalHoldResponse {}
impl Shows for RecordDisclosureResponse {}
impl Shows for ListDisclosuresResponse {}
