-- All tables as the migrations make them. Written by `make schema`, never by hand.

CREATE SCHEMA approvals;

CREATE SCHEMA billing;

CREATE SCHEMA evidence;

CREATE SCHEMA identity;

CREATE SCHEMA notary;

CREATE SCHEMA outbox;

CREATE SCHEMA readings;

CREATE SCHEMA rebuild;

CREATE SCHEMA store;

CREATE SCHEMA vault;

CREATE SCHEMA views;

CREATE SCHEMA watch;

CREATE TYPE store.stored_event_uuid AS (
	originator_id uuid,
	originator_version bigint,
	topic text,
	state bytea
);

CREATE FUNCTION billing.require_balance() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    touched record;
    found bigint;
BEGIN
    IF TG_OP = 'DELETE' THEN touched := OLD; ELSE touched := NEW; END IF;
    SELECT sum(amount_fen) INTO found FROM billing.postings
    WHERE build = touched.build AND event_id = touched.event_id;
    IF coalesce(found, 0) <> 0 THEN
        RAISE EXCEPTION 'the postings of event % sum to % fen', touched.event_id, found USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION vault.names_a_person(topic text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (topic = ANY (ARRAY['water.connection.ApplicationReceived.v1'::text, 'water.connection.ConsultationGiven.v1'::text, 'water.connection.CustomerChanged.v1'::text, 'water.connection.CustomerRenamed.v1'::text, 'water.connection.PreServiceRequested.v1'::text, 'water.connection.WaterTurnedOn.v1'::text, 'water.repair.FaultReported.v1'::text, 'water.repair.ReportLinked.v1'::text]));

CREATE FUNCTION vault.subject_of(state bytea) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN ((convert_from(state, 'UTF8'::name))::jsonb #>> '{data,subject,id}'::text[]);

CREATE FUNCTION views.within(of_case uuid, own_crew text, own_squad text, own_districts text[]) RETURNS boolean
    LANGUAGE sql STABLE
    AS $$
    SELECT EXISTS (
        SELECT FROM views.cases c
        LEFT JOIN views.cases place ON place.case_id = c.incident
        WHERE c.case_id = of_case
          AND (own_crew IS NULL OR lower(coalesce(place.crew, c.crew)) = lower(own_crew))
          AND (own_squad IS NULL OR EXISTS (
              SELECT FROM views.visits v WHERE v.case_id = of_case AND v.squad = own_squad AND v.state <> 'cancelled'))
          AND (own_districts IS NULL OR CASE
              WHEN c.family = 'order' THEN place.districts && own_districts
              ELSE c.districts = '{}' OR c.districts && own_districts END)
    )
$$;

CREATE TABLE approvals.commands (
    id uuid NOT NULL,
    asker text NOT NULL,
    asked_role text,
    asked_actor text,
    asked_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    sealed bytea,
    told_at timestamp with time zone,
    reminded_at timestamp with time zone,
    CONSTRAINT commands_check CHECK (((asked_role IS NULL) <> (asked_actor IS NULL)))
);

CREATE TABLE billing.accounts (
    build integer NOT NULL,
    account_number bigint NOT NULL,
    case_id uuid NOT NULL,
    point integer NOT NULL,
    subject_id uuid NOT NULL,
    subject_revision integer NOT NULL,
    meter_number text NOT NULL,
    meter_body_code text NOT NULL,
    meter_dn_mm integer NOT NULL,
    verified_on date,
    expires_on date,
    initial_reading_m3 numeric(14,3) NOT NULL,
    dial_max_m3 bigint,
    contract text,
    address_code text,
    usage_split jsonb DEFAULT '{}'::jsonb NOT NULL,
    household_size integer,
    price_version text,
    water_on_at timestamp with time zone NOT NULL,
    event_id uuid NOT NULL
);

CREATE TABLE billing.builds (
    build integer NOT NULL,
    state text NOT NULL,
    begun_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    live_at timestamp with time zone,
    CONSTRAINT builds_state_check CHECK ((state = ANY (ARRAY['live'::text, 'making'::text])))
);

CREATE TABLE billing.cases (
    build integer NOT NULL,
    case_id uuid NOT NULL,
    case_number text,
    category text,
    payer_class text,
    desk text,
    owner text,
    catalogue text,
    quote integer,
    quote_lines jsonb DEFAULT '{}'::jsonb NOT NULL,
    stopped text
);

CREATE TABLE billing.changes (
    build integer NOT NULL,
    event_id uuid NOT NULL,
    what text NOT NULL,
    old text,
    new text
);

CREATE TABLE billing.classes (
    build integer NOT NULL,
    event_id uuid NOT NULL,
    case_id uuid NOT NULL,
    point integer NOT NULL,
    change integer NOT NULL,
    usage_split jsonb NOT NULL,
    household_size integer,
    price_version text,
    valid_from timestamp with time zone NOT NULL,
    reading_m3 numeric(14,3)
);

CREATE TABLE billing.customers (
    build integer NOT NULL,
    event_id uuid NOT NULL,
    case_id uuid NOT NULL,
    point integer NOT NULL,
    change integer NOT NULL,
    subject_id uuid NOT NULL,
    subject_revision integer NOT NULL,
    contract text,
    valid_from timestamp with time zone NOT NULL,
    reading_m3 numeric(14,3)
);

CREATE TABLE billing.differences (
    number bigint NOT NULL,
    kind text NOT NULL,
    fee text NOT NULL,
    item text NOT NULL,
    what text NOT NULL,
    store_says text,
    books_say text,
    found_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    seen_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    gone_at timestamp with time zone,
    resolved_at timestamp with time zone,
    resolved_by text,
    resolution text,
    CONSTRAINT differences_check CHECK ((((resolved_at IS NULL) = (resolved_by IS NULL)) AND ((resolved_at IS NULL) = (resolution IS NULL)))),
    CONSTRAINT differences_what_check CHECK ((what = ANY (ARRAY['missing'::text, 'unknown'::text, 'doubled'::text, 'other'::text])))
);

ALTER TABLE billing.differences ALTER COLUMN number ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME billing.differences_number_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE billing.holds (
    build integer NOT NULL,
    case_id uuid NOT NULL,
    hold integer NOT NULL,
    meter text NOT NULL,
    read_at timestamp with time zone NOT NULL,
    litres bigint NOT NULL,
    connection uuid,
    point integer,
    held_at timestamp with time zone,
    released_at timestamp with time zone,
    cause text
);

CREATE TABLE billing.inbox (
    build integer NOT NULL,
    event_id uuid NOT NULL,
    natural_key text NOT NULL,
    type text NOT NULL,
    case_id uuid NOT NULL,
    "position" bigint NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    happened_at timestamp with time zone NOT NULL,
    outcome text NOT NULL,
    note text,
    taken_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT inbox_outcome_check CHECK ((outcome = ANY (ARRAY['booked'::text, 'duplicate'::text, 'odd'::text])))
);

CREATE TABLE billing.meter_changes (
    build integer NOT NULL,
    event_id uuid NOT NULL,
    case_id uuid NOT NULL,
    point integer NOT NULL,
    old_meter text NOT NULL,
    final_reading_m3 numeric(14,3) NOT NULL,
    new_meter text NOT NULL,
    initial_reading_m3 numeric(14,3) NOT NULL,
    changed_at timestamp with time zone NOT NULL
);

CREATE TABLE billing.money (
    build integer NOT NULL,
    case_id uuid NOT NULL,
    kind text NOT NULL,
    number text NOT NULL,
    lines jsonb NOT NULL,
    reversed boolean DEFAULT false NOT NULL,
    CONSTRAINT money_kind_check CHECK ((kind = ANY (ARRAY['payment'::text, 'refund'::text])))
);

CREATE TABLE billing.numbers (
    case_id uuid NOT NULL,
    point integer NOT NULL,
    account_number bigint NOT NULL
);

CREATE TABLE billing.places (
    reader text NOT NULL,
    build integer NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    topic_id uuid,
    "position" bigint DEFAULT 0 NOT NULL,
    record_offset bigint DEFAULT '-1'::integer NOT NULL,
    updated_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

CREATE TABLE billing.postings (
    build integer NOT NULL,
    event_id uuid NOT NULL,
    line integer NOT NULL,
    case_id uuid NOT NULL,
    ledger text NOT NULL,
    movement text NOT NULL,
    reference text NOT NULL,
    fee text NOT NULL,
    amount_fen bigint NOT NULL,
    CONSTRAINT postings_amount_fen_check CHECK ((amount_fen <> 0)),
    CONSTRAINT postings_ledger_check CHECK ((ledger = ANY (ARRAY['receivable'::text, 'income'::text, 'cash'::text])))
);

CREATE TABLE billing.readings (
    build integer NOT NULL,
    meter text NOT NULL,
    read_at timestamp with time zone NOT NULL,
    litres bigint NOT NULL,
    used_litres bigint,
    signs text[] NOT NULL,
    event_id uuid NOT NULL
);

CREATE TABLE billing.reconciliations (
    id bigint NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    build integer NOT NULL,
    items bigint NOT NULL,
    groups jsonb NOT NULL,
    differences integer NOT NULL
);

ALTER TABLE billing.reconciliations ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME billing.reconciliations_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE VIEW billing.terms AS
 WITH told AS (
         SELECT accounts.build,
            accounts.case_id,
            accounts.point,
            'class'::text AS what,
            accounts.water_on_at AS valid_from,
            0 AS change,
            accounts.usage_split,
            accounts.household_size,
            accounts.price_version,
            NULL::uuid AS subject_id,
            NULL::integer AS subject_revision,
            NULL::text AS contract
           FROM billing.accounts
        UNION ALL
         SELECT accounts.build,
            accounts.case_id,
            accounts.point,
            'customer'::text,
            accounts.water_on_at,
            0,
            NULL::jsonb,
            NULL::integer,
            NULL::text,
            accounts.subject_id,
            accounts.subject_revision,
            accounts.contract
           FROM billing.accounts
        UNION ALL
         SELECT classes.build,
            classes.case_id,
            classes.point,
            'class'::text,
            classes.valid_from,
            classes.change,
            classes.usage_split,
            classes.household_size,
            classes.price_version,
            NULL::uuid,
            NULL::integer,
            NULL::text
           FROM billing.classes
        UNION ALL
         SELECT customers.build,
            customers.case_id,
            customers.point,
            'customer'::text,
            customers.valid_from,
            customers.change,
            NULL::jsonb,
            NULL::integer,
            NULL::text,
            customers.subject_id,
            customers.subject_revision,
            customers.contract
           FROM billing.customers
        ), signed AS (
         SELECT told.build,
            told.case_id,
            told.point,
            told.what,
            told.valid_from,
            told.change,
            told.usage_split,
            told.household_size,
            told.price_version,
            told.subject_id,
            told.subject_revision,
            told.contract,
            count(told.contract) OVER (PARTITION BY told.build, told.case_id, told.point, told.what ORDER BY told.valid_from, told.change) AS contracts
           FROM told
        ), under AS (
         SELECT signed.build,
            signed.case_id,
            signed.point,
            signed.what,
            signed.valid_from,
            signed.change,
            signed.usage_split,
            signed.household_size,
            signed.price_version,
            signed.subject_id,
            signed.subject_revision,
            first_value(signed.contract) OVER (PARTITION BY signed.build, signed.case_id, signed.point, signed.what, signed.contracts ORDER BY (signed.contract IS NULL), signed.valid_from, signed.change) AS contract
           FROM signed
        ), standing AS (
         SELECT DISTINCT ON (under.build, under.case_id, under.point, under.what, under.valid_from) under.build,
            under.case_id,
            under.point,
            under.what,
            under.valid_from,
            under.change,
            under.usage_split,
            under.household_size,
            under.price_version,
            under.subject_id,
            under.subject_revision,
            under.contract
           FROM under
          ORDER BY under.build, under.case_id, under.point, under.what, under.valid_from, under.change DESC
        )
 SELECT build,
    case_id,
    point,
    what,
    valid_from,
    lead(valid_from) OVER (PARTITION BY build, case_id, point, what ORDER BY valid_from) AS valid_until,
    usage_split,
    household_size,
    price_version,
    subject_id,
    subject_revision,
    contract
   FROM standing;

CREATE TABLE evidence.files (
    digest text NOT NULL,
    media_type text NOT NULL,
    size_bytes bigint NOT NULL,
    state text NOT NULL,
    sealed_key bytea,
    generation integer DEFAULT 1 NOT NULL,
    objects_to_delete integer[] DEFAULT '{}'::integer[] NOT NULL,
    touched_at timestamp with time zone NOT NULL,
    CONSTRAINT files_check CHECK (((sealed_key IS NULL) = (state = ANY (ARRAY['purged'::text, 'erased'::text, 'infected'::text])))),
    CONSTRAINT files_digest_check CHECK ((digest ~ '^sha256:[0-9a-f]{64}$'::text)),
    CONSTRAINT files_size_bytes_check CHECK ((size_bytes > 0)),
    CONSTRAINT files_state_check CHECK ((state = ANY (ARRAY['storing'::text, 'quarantined'::text, 'kept'::text, 'purged'::text, 'erased'::text, 'infected'::text])))
);

CREATE TABLE evidence.links (
    digest text NOT NULL,
    class text NOT NULL,
    case_id uuid,
    subject_id uuid,
    actor text NOT NULL,
    role text NOT NULL,
    at timestamp with time zone NOT NULL,
    gone text,
    untold text,
    CONSTRAINT links_gone_check CHECK ((gone = ANY (ARRAY['time-is-up'::text, 'erased'::text, 'infected'::text]))),
    CONSTRAINT links_untold_check CHECK ((untold = ANY (ARRAY['kept'::text, 'purged'::text])))
);

CREATE TABLE evidence.parts (
    upload_id uuid NOT NULL,
    first_byte bigint NOT NULL,
    sealed bytea NOT NULL
);
ALTER TABLE ONLY evidence.parts ALTER COLUMN sealed SET STORAGE EXTERNAL;

CREATE TABLE evidence.reads (
    id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    actor text NOT NULL,
    role text NOT NULL,
    digest text NOT NULL
);

ALTER TABLE evidence.reads ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME evidence.reads_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE evidence.uploads (
    id uuid NOT NULL,
    actor text NOT NULL,
    role text NOT NULL,
    digest text NOT NULL,
    class text NOT NULL,
    media_type text NOT NULL,
    size_bytes bigint NOT NULL,
    case_id uuid,
    subject_id uuid,
    received_bytes bigint DEFAULT 0 NOT NULL,
    sealed_key bytea NOT NULL,
    touched_at timestamp with time zone NOT NULL,
    completed_at timestamp with time zone,
    CONSTRAINT uploads_check CHECK (((received_bytes >= 0) AND (received_bytes <= size_bytes))),
    CONSTRAINT uploads_digest_check CHECK ((digest ~ '^sha256:[0-9a-f]{64}$'::text)),
    CONSTRAINT uploads_size_bytes_check CHECK ((size_bytes > 0))
);

CREATE TABLE identity.credentials (
    actor text NOT NULL,
    secret_hash text NOT NULL,
    must_change boolean DEFAULT false NOT NULL,
    set_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    failures integer DEFAULT 0 NOT NULL,
    locked_until timestamp with time zone,
    second_factor bytea,
    second_factor_confirmed boolean DEFAULT false NOT NULL,
    last_code bigint,
    CONSTRAINT credentials_actor_check CHECK ((actor ~ '^[a-z][a-z0-9-]{1,39}$'::text))
);

CREATE TABLE identity.follow_links (
    code_hash bytea NOT NULL,
    case_id uuid NOT NULL,
    report integer NOT NULL,
    generation integer NOT NULL,
    made_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    revoked_at timestamp with time zone,
    CONSTRAINT follow_links_code_hash_check CHECK ((octet_length(code_hash) = 32))
);

CREATE TABLE identity.phone_codes (
    phone_hash bytea NOT NULL,
    code_hash bytea,
    tries integer DEFAULT 0 NOT NULL,
    made_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT phone_codes_code_hash_check CHECK ((octet_length(code_hash) = 32)),
    CONSTRAINT phone_codes_phone_hash_check CHECK ((octet_length(phone_hash) = 32))
);

CREATE TABLE identity.recovery_codes (
    actor text NOT NULL,
    code_hash bytea NOT NULL,
    used_at timestamp with time zone,
    CONSTRAINT recovery_codes_code_hash_check CHECK ((octet_length(code_hash) = 32))
);

CREATE TABLE identity.sessions (
    token_hash bytea NOT NULL,
    actor text NOT NULL,
    role text NOT NULL,
    roles text[] NOT NULL,
    crew text,
    squad text,
    districts text[] NOT NULL,
    is_machine boolean NOT NULL,
    for_browser boolean NOT NULL,
    is_limited boolean NOT NULL,
    opened_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    used_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    ends_at timestamp with time zone NOT NULL,
    scopes text[] DEFAULT '{}'::text[] NOT NULL,
    phone_hash bytea,
    by_provider boolean DEFAULT false NOT NULL,
    CONSTRAINT sessions_phone_hash_check CHECK ((octet_length(phone_hash) = 32)),
    CONSTRAINT sessions_token_hash_check CHECK ((octet_length(token_hash) = 32))
);

CREATE TABLE notary.checkpoints (
    number bigint NOT NULL,
    generation uuid NOT NULL,
    size bigint NOT NULL,
    "position" bigint NOT NULL,
    note text NOT NULL,
    first_leaf bigint NOT NULL,
    leaves bytea NOT NULL,
    signed_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

ALTER TABLE notary.checkpoints ALTER COLUMN number ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME notary.checkpoints_number_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE notary.frontiers (
    generation uuid NOT NULL,
    size bigint NOT NULL,
    peaks bytea NOT NULL,
    last_leaf bytea NOT NULL
);

CREATE TABLE notary.logs (
    generation uuid NOT NULL,
    without int8range[] NOT NULL,
    began_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    follows text
);

CREATE TABLE notary.state (
    only_row boolean DEFAULT true NOT NULL,
    refusal text,
    CONSTRAINT state_only_row_check CHECK (only_row)
);

CREATE TABLE outbox.alerts (
    id uuid NOT NULL,
    case_id uuid NOT NULL,
    version bigint NOT NULL,
    case_number text NOT NULL,
    mass text,
    change text NOT NULL,
    commitment text NOT NULL,
    lapse integer,
    step text,
    due_at timestamp with time zone NOT NULL,
    roles text[] NOT NULL,
    ways text[] NOT NULL,
    urgent boolean NOT NULL,
    raised_at timestamp with time zone NOT NULL,
    expanded boolean NOT NULL,
    cause text,
    rank integer DEFAULT 0 NOT NULL,
    closed_by text,
    closed_at timestamp with time zone,
    to_settle boolean DEFAULT false NOT NULL,
    CONSTRAINT alerts_change_check CHECK ((change = ANY (ARRAY['nearing'::text, 'lapsed'::text, 'escalated'::text])))
);

CREATE TABLE outbox.messages (
    id uuid NOT NULL,
    case_id uuid,
    kind text NOT NULL,
    way text NOT NULL,
    title text NOT NULL,
    text text NOT NULL,
    digest text NOT NULL,
    audience text[] NOT NULL,
    subject_id uuid,
    state text DEFAULT 'waiting'::text NOT NULL,
    recorded boolean DEFAULT false NOT NULL,
    round integer DEFAULT 1 NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    next_attempt_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    leased_until timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    lease uuid,
    last_error text,
    answered_at timestamp with time zone,
    receipt text,
    status text,
    proof_digest text,
    about jsonb,
    made_at timestamp with time zone,
    grouped text,
    CONSTRAINT messages_check CHECK (((subject_id IS NULL) = (cardinality(audience) > 0))),
    CONSTRAINT messages_state_check CHECK ((state = ANY (ARRAY['waiting'::text, 'sent'::text, 'proven'::text, 'dead'::text, 'withdrawn'::text])))
);

CREATE TABLE outbox.tellings (
    alert_id uuid NOT NULL,
    role text NOT NULL,
    way text NOT NULL,
    change text NOT NULL,
    state text NOT NULL,
    not_before timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    message_id uuid,
    recorded boolean DEFAULT false NOT NULL,
    CONSTRAINT tellings_state_check CHECK ((state = ANY (ARRAY['waiting'::text, 'made'::text, 'withdrawn'::text, 'unreachable'::text])))
);

CREATE TABLE public.tongshui_migrations (
    number integer NOT NULL,
    name text NOT NULL,
    sha256 text NOT NULL,
    applied_at timestamp with time zone DEFAULT now()
);

CREATE TABLE readings.anomalies (
    meter text NOT NULL,
    read_at timestamp with time zone NOT NULL,
    used_litres bigint,
    flags text[] NOT NULL,
    found_at timestamp with time zone NOT NULL,
    standing boolean DEFAULT true NOT NULL,
    revision integer DEFAULT 1 NOT NULL,
    told integer DEFAULT 0 NOT NULL
);

CREATE TABLE readings.histories (
    meter text NOT NULL,
    read_at timestamp with time zone NOT NULL,
    litres bigint NOT NULL,
    recent bigint[] NOT NULL,
    flowing_since timestamp with time zone
)
WITH (fillfactor='70');

CREATE TABLE readings.meters (
    meter text NOT NULL,
    initial_litres bigint NOT NULL,
    dial_max_m3 integer NOT NULL,
    in_at timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    out_at timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    first_in_at timestamp with time zone DEFAULT '0001-01-01 00:00:00+00'::timestamp with time zone NOT NULL
);

CREATE TABLE readings.offsets (
    topic text NOT NULL,
    partition integer NOT NULL,
    topic_id uuid NOT NULL,
    next_offset bigint NOT NULL,
    end_offset bigint DEFAULT 0 NOT NULL,
    lost bigint DEFAULT 0 NOT NULL
);

CREATE TABLE readings.places (
    reader text NOT NULL,
    build integer NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    topic_id uuid,
    "position" bigint DEFAULT 0 NOT NULL,
    record_offset bigint DEFAULT '-1'::integer NOT NULL,
    updated_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

CREATE TABLE readings.readings (
    meter text NOT NULL,
    read_at timestamp with time zone NOT NULL,
    litres bigint NOT NULL,
    CONSTRAINT readings_litres_check CHECK ((litres >= 0))
)
PARTITION BY RANGE (read_at);

CREATE TABLE readings.set_aside (
    meter text NOT NULL,
    read_at timestamp with time zone NOT NULL,
    litres bigint NOT NULL,
    reason text NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT set_aside_reason_check CHECK ((reason = ANY (ARRAY['unknown-meter'::text, 'contradicts'::text, 'meter-out'::text, 'before-meter'::text, 'above-dial'::text])))
);

CREATE TABLE rebuild.caught_up (
    reader text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    "position" bigint NOT NULL,
    lanes_at bigint NOT NULL
);

CREATE TABLE rebuild.lanes (
    lane integer NOT NULL,
    attempt integer DEFAULT 0 NOT NULL,
    "position" bigint DEFAULT 0 NOT NULL
);

CREATE TABLE rebuild.places (
    lane integer NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    "position" bigint NOT NULL
);

CREATE TABLE rebuild.refused (
    reader text NOT NULL,
    "position" bigint NOT NULL,
    reason text NOT NULL
);

CREATE TABLE rebuild.run (
    only_row boolean DEFAULT true NOT NULL,
    models text[] NOT NULL,
    waiting text[] NOT NULL,
    program text NOT NULL,
    generation uuid NOT NULL,
    started_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT run_only_row_check CHECK (only_row)
);

CREATE SEQUENCE store.case_numbers
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

CREATE TABLE store.clock_anchor (
    only_row boolean DEFAULT true NOT NULL,
    real_at timestamp with time zone NOT NULL,
    service_at timestamp with time zone NOT NULL,
    factor double precision NOT NULL,
    CONSTRAINT clock_anchor_factor_check CHECK ((factor > (0)::double precision)),
    CONSTRAINT clock_anchor_only_row_check CHECK (only_row)
);

CREATE TABLE store.command_keys (
    actor_scope text NOT NULL,
    key text NOT NULL,
    digest bytea NOT NULL,
    case_id uuid NOT NULL,
    first_version bigint NOT NULL,
    last_version bigint NOT NULL,
    "position" bigint NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    refusal jsonb
);

CREATE TABLE store.dead_letters (
    id bigint NOT NULL,
    reader text NOT NULL,
    topic text NOT NULL,
    topic_id uuid NOT NULL,
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    "position" bigint,
    code text NOT NULL,
    reason text NOT NULL,
    size_bytes integer NOT NULL,
    sha256 text NOT NULL,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    published_at timestamp with time zone,
    case_id uuid,
    state text DEFAULT 'open'::text NOT NULL,
    settled_at timestamp with time zone,
    settled_by text,
    note text,
    CONSTRAINT dead_letters_state_check CHECK ((state = ANY (ARRAY['open'::text, 'again'::text, 'repaired'::text, 'resolved'::text])))
);

ALTER TABLE store.dead_letters ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME store.dead_letters_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE store.disowned_records (
    topic_id uuid NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    "position" bigint NOT NULL,
    disowned_by text NOT NULL,
    reason text NOT NULL,
    disowned_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

CREATE TABLE store.generations (
    generation uuid NOT NULL,
    forked_behind bigint NOT NULL,
    begins_behind bigint NOT NULL,
    given_up bigint NOT NULL,
    list_sha256 text NOT NULL,
    started_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    topics_renewed_at timestamp with time zone
);

CREATE TABLE store.log_head (
    only_row boolean DEFAULT true NOT NULL,
    "position" bigint NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    generation uuid NOT NULL,
    rules_position bigint DEFAULT 0 NOT NULL,
    CONSTRAINT log_head_only_row_check CHECK (only_row)
);

CREATE TABLE store.process_beats (
    name text NOT NULL,
    pid integer NOT NULL,
    started_at timestamp with time zone NOT NULL,
    beat_at timestamp with time zone NOT NULL,
    detail jsonb DEFAULT '{}'::jsonb NOT NULL
);

CREATE TABLE store.relay_checkpoint (
    cluster_id text NOT NULL,
    topic_id uuid NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    "position" bigint NOT NULL,
    record_offset bigint NOT NULL,
    epoch bigint NOT NULL,
    head_offset bigint
);

CREATE TABLE store.relay_state (
    cluster_id text NOT NULL,
    epoch bigint NOT NULL,
    all_out bigint DEFAULT 0 NOT NULL,
    sessions bigint DEFAULT 0 NOT NULL,
    tails_lost bigint DEFAULT 0 NOT NULL,
    foreign_records bigint DEFAULT 0 NOT NULL,
    refills bigint DEFAULT 0 NOT NULL,
    last_error text,
    updated_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    settings_put_right bigint DEFAULT 0 NOT NULL,
    histories_refilled bigint DEFAULT 0 NOT NULL
);

CREATE TABLE store.relay_walks (
    topic text NOT NULL,
    partition integer NOT NULL,
    wanted_by text NOT NULL,
    wanted_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    walked_at timestamp with time zone
);

CREATE TABLE store.stopped_readers (
    reader text NOT NULL,
    letters integer NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    "position" bigint NOT NULL,
    code text NOT NULL,
    stopped_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    released_at timestamp with time zone,
    released_by text,
    reason text
);

CREATE TABLE store.stored_events (
    originator_id uuid NOT NULL,
    originator_version bigint NOT NULL,
    topic text NOT NULL,
    state bytea NOT NULL,
    notification_id bigint NOT NULL
);

CREATE TABLE store.topic_findings (
    topic text NOT NULL,
    code text NOT NULL,
    name text NOT NULL,
    found text NOT NULL,
    needed text NOT NULL,
    since timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    put_right_at timestamp with time zone
);

CREATE TABLE vault.installation (
    only_row boolean DEFAULT true NOT NULL,
    search_key bytea NOT NULL,
    rewrite_due boolean DEFAULT true NOT NULL,
    CONSTRAINT installation_only_row_check CHECK (only_row)
);

CREATE TABLE vault.pseudonym_key (
    only_row boolean DEFAULT true NOT NULL,
    key bytea NOT NULL,
    CONSTRAINT pseudonym_key_key_check CHECK ((octet_length(key) = 32)),
    CONSTRAINT pseudonym_key_only_row_check CHECK (only_row)
);

CREATE TABLE vault.reads (
    id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    actor text NOT NULL,
    role text NOT NULL,
    subject_id uuid,
    case_id uuid,
    reason text,
    masked boolean NOT NULL
);

ALTER TABLE vault.reads ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME vault.reads_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE vault.subject_keys (
    subject_id uuid NOT NULL,
    sealed_key bytea,
    erased_at timestamp with time zone,
    CONSTRAINT subject_keys_check CHECK (((sealed_key IS NULL) = (erased_at IS NOT NULL)))
);

CREATE TABLE vault.subjects (
    subject_id uuid NOT NULL,
    revision integer NOT NULL,
    particulars jsonb,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    sealed bytea,
    phone_hash bytea,
    address_hash bytea,
    address_indexed boolean DEFAULT false NOT NULL,
    CONSTRAINT subjects_address_hash_check CHECK ((octet_length(address_hash) = 32)),
    CONSTRAINT subjects_phone_hash_check CHECK ((octet_length(phone_hash) = 32)),
    CONSTRAINT subjects_sealed_or_plain CHECK (((particulars IS NULL) OR (sealed IS NULL)))
);

CREATE TABLE views.ahead (
    case_id uuid NOT NULL,
    kind text NOT NULL,
    number text NOT NULL,
    topic text NOT NULL,
    category text,
    channel text NOT NULL,
    asked_at timestamp with time zone NOT NULL,
    given_at timestamp with time zone,
    deliverables integer NOT NULL,
    "position" bigint NOT NULL,
    CONSTRAINT ahead_kind_check CHECK ((kind = ANY (ARRAY['consultation'::text, 'preservice'::text])))
);

CREATE TABLE views.breaches (
    topic text NOT NULL,
    partition integer NOT NULL,
    "position" bigint NOT NULL,
    event_id uuid NOT NULL,
    change text NOT NULL,
    family text NOT NULL,
    case_id uuid NOT NULL,
    commitment text NOT NULL,
    due_at timestamp with time zone,
    lapse integer,
    rung text,
    notify text[] NOT NULL,
    reason text,
    recorded_at timestamp with time zone NOT NULL,
    settles_at timestamp with time zone,
    overturns boolean DEFAULT false NOT NULL,
    provisional_until timestamp with time zone
);

CREATE TABLE views.cases (
    case_id uuid NOT NULL,
    family text NOT NULL,
    case_number text NOT NULL,
    kind text,
    category text,
    channel text NOT NULL,
    district text,
    zone text,
    crew text,
    severity text,
    stage text NOT NULL,
    open boolean NOT NULL,
    opened_at timestamp with time zone NOT NULL,
    supply_points integer NOT NULL,
    points_on integer NOT NULL,
    reports integer NOT NULL,
    flags integer NOT NULL,
    version bigint NOT NULL,
    "position" bigint NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    owner text,
    reached text DEFAULT ''::text NOT NULL,
    quoted_fen bigint DEFAULT 0 NOT NULL,
    paid_fen bigint DEFAULT 0 NOT NULL,
    mass text,
    cell text,
    first_severity text,
    first_assessed_at timestamp with time zone,
    last_assessed_at timestamp with time zone,
    milestones jsonb DEFAULT '[]'::jsonb NOT NULL,
    reporters jsonb DEFAULT '[]'::jsonb NOT NULL,
    delays jsonb DEFAULT '[]'::jsonb NOT NULL,
    incident uuid,
    districts text[] DEFAULT '{}'::text[] NOT NULL
);

CREATE TABLE views.charges (
    case_id uuid NOT NULL,
    version bigint NOT NULL,
    line integer NOT NULL,
    kind text NOT NULL,
    number text,
    fee text,
    quantity text,
    amount_fen bigint,
    catalogue text,
    banned text,
    why text,
    reason text,
    actor text NOT NULL,
    role text NOT NULL,
    happened_at timestamp with time zone NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    "position" bigint NOT NULL,
    CONSTRAINT charges_kind_check CHECK ((kind = ANY (ARRAY['quoted'::text, 'paid'::text, 'payment-reversed'::text, 'refunded'::text, 'refund-reversed'::text, 'refused'::text])))
);

CREATE TABLE views.connections (
    case_id uuid NOT NULL,
    case_number text NOT NULL,
    category text NOT NULL,
    channel text NOT NULL,
    desk text,
    owner text,
    supply_points integer NOT NULL,
    points_on integer NOT NULL,
    received_at timestamp with time zone NOT NULL,
    notice_at timestamp with time zone,
    admitted_at timestamp with time zone,
    basis text,
    outstanding integer NOT NULL,
    promise text NOT NULL,
    declined boolean NOT NULL,
    appearances integer NOT NULL,
    excess_trips integer NOT NULL,
    visits_booked integer NOT NULL,
    visits_made integer NOT NULL,
    on_site_approval boolean NOT NULL,
    paused_minutes integer,
    last_on_at timestamp with time zone,
    water_on_at timestamp with time zone,
    gross_minutes integer,
    net_minutes integer,
    on_time boolean,
    lapses integer NOT NULL,
    stopped text,
    quoted_fen bigint NOT NULL,
    paid_fen bigint NOT NULL,
    refunded_fen bigint NOT NULL,
    charges_refused integer NOT NULL,
    further_requests_refused integer NOT NULL,
    deliverables integer NOT NULL,
    "position" bigint NOT NULL,
    pauses jsonb NOT NULL,
    halts jsonb NOT NULL,
    moved jsonb NOT NULL,
    CONSTRAINT connections_promise_check CHECK ((promise = ANY (ARRAY['none'::text, 'made'::text, 'kept'::text, 'broken'::text, 'repaired'::text, 'void'::text])))
);

CREATE TABLE views.crews (
    stream_id uuid NOT NULL,
    crew text NOT NULL,
    name_zh text NOT NULL,
    skills text[] NOT NULL,
    lead text NOT NULL,
    on_shift boolean,
    district text,
    located_at timestamp with time zone,
    on_case uuid,
    "position" bigint NOT NULL
);

CREATE TABLE views.meters (
    case_id uuid NOT NULL,
    point integer NOT NULL,
    meter text NOT NULL,
    dn_mm integer NOT NULL,
    q3_m3h numeric,
    verified_on date NOT NULL,
    expires_on date NOT NULL,
    in_since timestamp with time zone NOT NULL,
    "position" bigint NOT NULL
);

CREATE TABLE views.outages (
    case_id uuid NOT NULL,
    case_number text NOT NULL,
    kind text NOT NULL,
    incident uuid,
    districts text[] NOT NULL,
    affected_users integer NOT NULL,
    announced_at timestamp with time zone NOT NULL,
    begin_at timestamp with time zone,
    end_at timestamp with time zone,
    first_notice_at timestamp with time zone,
    notices integer NOT NULL,
    proven integer NOT NULL,
    failed integer NOT NULL,
    reported_at timestamp with time zone,
    started_at timestamp with time zone,
    restored_at timestamp with time zone,
    cancelled_at timestamp with time zone,
    water_litres bigint NOT NULL,
    "position" bigint NOT NULL,
    CONSTRAINT outages_kind_check CHECK ((kind = ANY (ARRAY['planned'::text, 'emergency'::text, 'unannounced'::text])))
);

CREATE TABLE views.places (
    reader text NOT NULL,
    build integer NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    topic_id uuid,
    "position" bigint DEFAULT 0 NOT NULL,
    record_offset bigint DEFAULT '-1'::integer NOT NULL,
    updated_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

CREATE TABLE views.usage (
    case_id uuid NOT NULL,
    case_number text NOT NULL,
    meter text NOT NULL,
    read_at timestamp with time zone NOT NULL,
    litres bigint NOT NULL,
    used_litres bigint,
    signs text[] NOT NULL,
    connection uuid,
    point integer,
    found_at timestamp with time zone NOT NULL,
    revision integer NOT NULL,
    standing boolean NOT NULL,
    held boolean NOT NULL,
    confirmed_at timestamp with time zone,
    dismissed_at timestamp with time zone,
    notified_at timestamp with time zone,
    notified_by text,
    offered_at timestamp with time zone,
    help_started_at timestamp with time zone,
    help_finished_at timestamp with time zone,
    finding text,
    outcome text,
    open boolean NOT NULL,
    version bigint NOT NULL,
    "position" bigint NOT NULL
);

CREATE TABLE views.visits (
    case_id uuid NOT NULL,
    visit uuid NOT NULL,
    squad text NOT NULL,
    purpose text NOT NULL,
    begin_at timestamp with time zone NOT NULL,
    end_at timestamp with time zone NOT NULL,
    state text NOT NULL,
    made_at timestamp with time zone,
    papers integer NOT NULL,
    reassigned integer NOT NULL,
    "position" bigint NOT NULL,
    CONSTRAINT visits_state_check CHECK ((state = ANY (ARRAY['booked'::text, 'made'::text, 'cancelled'::text])))
);

CREATE TABLE views.windows (
    case_id uuid NOT NULL,
    commitment text NOT NULL,
    family text NOT NULL,
    number integer NOT NULL,
    opened_at timestamp with time zone NOT NULL,
    due_at timestamp with time zone,
    tentative boolean NOT NULL,
    standard text NOT NULL,
    calendar text,
    state text NOT NULL,
    met_at timestamp with time zone,
    on_time boolean,
    lapses integer NOT NULL,
    retracted integer NOT NULL,
    "position" bigint NOT NULL,
    lapsed_ends timestamp with time zone[] DEFAULT '{}'::timestamp with time zone[] NOT NULL,
    settles_at timestamp with time zone,
    provisional_until timestamp with time zone,
    CONSTRAINT windows_state_check CHECK ((state = ANY (ARRAY['running'::text, 'met'::text, 'lapsed'::text, 'cancelled'::text, 'unknown'::text])))
);

CREATE TABLE views.works (
    case_id uuid NOT NULL,
    number text NOT NULL,
    kind text NOT NULL,
    community text NOT NULL,
    name_zh text NOT NULL,
    registered_at timestamp with time zone NOT NULL,
    started_at timestamp with time zone,
    completed_at timestamp with time zone,
    households_served integer,
    "position" bigint NOT NULL
);

CREATE TABLE watch.ask_now (
    case_id uuid NOT NULL,
    family text NOT NULL,
    asked_for_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

CREATE TABLE watch.canaries (
    pid integer NOT NULL,
    began_at timestamp with time zone NOT NULL,
    sung bigint DEFAULT 0 NOT NULL,
    heard bigint DEFAULT 0 NOT NULL,
    heard_at timestamp with time zone,
    lateness_ms double precision,
    seen_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

CREATE TABLE watch.due (
    case_id uuid NOT NULL,
    commitment text NOT NULL,
    family text NOT NULL,
    number integer NOT NULL,
    due_at timestamp with time zone,
    next_ask_at timestamp with time zone,
    case_version bigint NOT NULL,
    leased_until timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL
)
WITH (fillfactor='70', autovacuum_vacuum_scale_factor='0.02');

CREATE TABLE watch.lateness (
    le double precision NOT NULL,
    lapses bigint DEFAULT 0 NOT NULL,
    seconds double precision DEFAULT 0 NOT NULL
)
WITH (fillfactor='10');

CREATE TABLE watch.places (
    reader text NOT NULL,
    build integer NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    topic_id uuid,
    "position" bigint DEFAULT 0 NOT NULL,
    record_offset bigint DEFAULT '-1'::integer NOT NULL,
    updated_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

CREATE TABLE watch.recompute (
    only_row boolean DEFAULT true NOT NULL,
    rules_position bigint DEFAULT 0 NOT NULL,
    looked_at bigint DEFAULT 0 NOT NULL,
    moved bigint DEFAULT 0 NOT NULL,
    finished_at timestamp with time zone,
    CONSTRAINT recompute_only_row_check CHECK (only_row)
);

CREATE TABLE watch.sizes (
    commitment text NOT NULL,
    open bigint NOT NULL,
    counted_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

CREATE TABLE watch.sweep (
    only_row boolean DEFAULT true NOT NULL,
    "position" bigint DEFAULT 0 NOT NULL,
    missed bigint DEFAULT 0 NOT NULL,
    CONSTRAINT sweep_only_row_check CHECK (only_row)
);

CREATE TABLE watch.tally (
    only_row boolean DEFAULT true NOT NULL,
    asked bigint DEFAULT 0 NOT NULL,
    CONSTRAINT tally_only_row_check CHECK (only_row)
)
WITH (fillfactor='10');

ALTER TABLE ONLY approvals.commands
    ADD CONSTRAINT commands_pkey PRIMARY KEY (id);

ALTER TABLE ONLY billing.accounts
    ADD CONSTRAINT accounts_build_case_id_point_key UNIQUE (build, case_id, point);

ALTER TABLE ONLY billing.accounts
    ADD CONSTRAINT accounts_pkey PRIMARY KEY (build, account_number);

ALTER TABLE ONLY billing.builds
    ADD CONSTRAINT builds_pkey PRIMARY KEY (build);

ALTER TABLE ONLY billing.cases
    ADD CONSTRAINT cases_pkey PRIMARY KEY (build, case_id);

ALTER TABLE ONLY billing.changes
    ADD CONSTRAINT changes_pkey PRIMARY KEY (build, event_id, what);

ALTER TABLE ONLY billing.classes
    ADD CONSTRAINT classes_pkey PRIMARY KEY (build, event_id);

ALTER TABLE ONLY billing.customers
    ADD CONSTRAINT customers_pkey PRIMARY KEY (build, event_id, point);

ALTER TABLE ONLY billing.differences
    ADD CONSTRAINT differences_pkey PRIMARY KEY (number);

ALTER TABLE ONLY billing.holds
    ADD CONSTRAINT holds_pkey PRIMARY KEY (build, case_id, hold);

ALTER TABLE ONLY billing.inbox
    ADD CONSTRAINT inbox_pkey PRIMARY KEY (build, event_id);

ALTER TABLE ONLY billing.meter_changes
    ADD CONSTRAINT meter_changes_pkey PRIMARY KEY (build, event_id);

ALTER TABLE ONLY billing.money
    ADD CONSTRAINT money_pkey PRIMARY KEY (build, case_id, kind, number);

ALTER TABLE ONLY billing.numbers
    ADD CONSTRAINT numbers_account_number_key UNIQUE (account_number);

ALTER TABLE ONLY billing.numbers
    ADD CONSTRAINT numbers_pkey PRIMARY KEY (case_id, point);

ALTER TABLE ONLY billing.places
    ADD CONSTRAINT places_pkey PRIMARY KEY (reader, build, topic, partition);

ALTER TABLE ONLY billing.postings
    ADD CONSTRAINT postings_pkey PRIMARY KEY (build, event_id, line);

ALTER TABLE ONLY billing.readings
    ADD CONSTRAINT readings_pkey PRIMARY KEY (build, meter, read_at);

ALTER TABLE ONLY billing.reconciliations
    ADD CONSTRAINT reconciliations_pkey PRIMARY KEY (id);

ALTER TABLE ONLY evidence.files
    ADD CONSTRAINT files_pkey PRIMARY KEY (digest);

ALTER TABLE ONLY evidence.links
    ADD CONSTRAINT links_digest_class_case_id_subject_id_key UNIQUE NULLS NOT DISTINCT (digest, class, case_id, subject_id);

ALTER TABLE ONLY evidence.parts
    ADD CONSTRAINT parts_pkey PRIMARY KEY (upload_id, first_byte);

ALTER TABLE ONLY evidence.reads
    ADD CONSTRAINT reads_pkey PRIMARY KEY (id);

ALTER TABLE ONLY evidence.uploads
    ADD CONSTRAINT uploads_pkey PRIMARY KEY (id);

ALTER TABLE ONLY identity.credentials
    ADD CONSTRAINT credentials_pkey PRIMARY KEY (actor);

ALTER TABLE ONLY identity.follow_links
    ADD CONSTRAINT follow_links_case_id_report_generation_key UNIQUE (case_id, report, generation);

ALTER TABLE ONLY identity.follow_links
    ADD CONSTRAINT follow_links_pkey PRIMARY KEY (code_hash);

ALTER TABLE ONLY identity.phone_codes
    ADD CONSTRAINT phone_codes_pkey PRIMARY KEY (phone_hash);

ALTER TABLE ONLY identity.recovery_codes
    ADD CONSTRAINT recovery_codes_pkey PRIMARY KEY (actor, code_hash);

ALTER TABLE ONLY identity.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (token_hash);

ALTER TABLE ONLY notary.checkpoints
    ADD CONSTRAINT checkpoints_pkey PRIMARY KEY (number);

ALTER TABLE ONLY notary.frontiers
    ADD CONSTRAINT frontiers_pkey PRIMARY KEY (generation);

ALTER TABLE ONLY notary.logs
    ADD CONSTRAINT logs_pkey PRIMARY KEY (generation);

ALTER TABLE ONLY notary.state
    ADD CONSTRAINT state_pkey PRIMARY KEY (only_row);

ALTER TABLE ONLY outbox.alerts
    ADD CONSTRAINT alerts_pkey PRIMARY KEY (id);

ALTER TABLE ONLY outbox.messages
    ADD CONSTRAINT messages_pkey PRIMARY KEY (id);

ALTER TABLE ONLY outbox.tellings
    ADD CONSTRAINT tellings_pkey PRIMARY KEY (alert_id, role, way, change);

ALTER TABLE ONLY public.tongshui_migrations
    ADD CONSTRAINT tongshui_migrations_pkey PRIMARY KEY (number);

ALTER TABLE ONLY readings.anomalies
    ADD CONSTRAINT anomalies_pkey PRIMARY KEY (meter, read_at);

ALTER TABLE ONLY readings.histories
    ADD CONSTRAINT histories_pkey PRIMARY KEY (meter);

ALTER TABLE ONLY readings.meters
    ADD CONSTRAINT meters_pkey PRIMARY KEY (meter);

ALTER TABLE ONLY readings.offsets
    ADD CONSTRAINT offsets_pkey PRIMARY KEY (topic, partition);

ALTER TABLE ONLY readings.places
    ADD CONSTRAINT places_pkey PRIMARY KEY (reader, build, topic, partition);

ALTER TABLE ONLY readings.readings
    ADD CONSTRAINT readings_pkey PRIMARY KEY (meter, read_at);

ALTER TABLE ONLY readings.set_aside
    ADD CONSTRAINT set_aside_pkey PRIMARY KEY (meter, read_at, litres);

ALTER TABLE ONLY rebuild.caught_up
    ADD CONSTRAINT caught_up_pkey PRIMARY KEY (reader, topic, partition);

ALTER TABLE ONLY rebuild.lanes
    ADD CONSTRAINT lanes_pkey PRIMARY KEY (lane);

ALTER TABLE ONLY rebuild.places
    ADD CONSTRAINT places_pkey PRIMARY KEY (lane, topic, partition);

ALTER TABLE ONLY rebuild.refused
    ADD CONSTRAINT refused_pkey PRIMARY KEY (reader, "position");

ALTER TABLE ONLY rebuild.run
    ADD CONSTRAINT run_pkey PRIMARY KEY (only_row);

ALTER TABLE ONLY store.clock_anchor
    ADD CONSTRAINT clock_anchor_pkey PRIMARY KEY (only_row);

ALTER TABLE ONLY store.command_keys
    ADD CONSTRAINT command_keys_pkey PRIMARY KEY (actor_scope, key);

ALTER TABLE ONLY store.dead_letters
    ADD CONSTRAINT dead_letters_pkey PRIMARY KEY (id);

ALTER TABLE ONLY store.dead_letters
    ADD CONSTRAINT dead_letters_reader_topic_topic_id_partition_record_offset_key UNIQUE (reader, topic, topic_id, partition, record_offset);

ALTER TABLE ONLY store.disowned_records
    ADD CONSTRAINT disowned_records_pkey PRIMARY KEY (topic_id, partition, record_offset);

ALTER TABLE ONLY store.generations
    ADD CONSTRAINT generations_pkey PRIMARY KEY (generation);

ALTER TABLE ONLY store.log_head
    ADD CONSTRAINT log_head_pkey PRIMARY KEY (only_row);

ALTER TABLE ONLY store.process_beats
    ADD CONSTRAINT process_beats_pkey PRIMARY KEY (name, pid);

ALTER TABLE ONLY store.relay_checkpoint
    ADD CONSTRAINT relay_checkpoint_pkey PRIMARY KEY (cluster_id, topic_id, partition);

ALTER TABLE ONLY store.relay_state
    ADD CONSTRAINT relay_state_pkey PRIMARY KEY (cluster_id);

ALTER TABLE ONLY store.relay_walks
    ADD CONSTRAINT relay_walks_pkey PRIMARY KEY (topic, partition);

ALTER TABLE ONLY store.stopped_readers
    ADD CONSTRAINT stopped_readers_pkey PRIMARY KEY (reader);

ALTER TABLE ONLY store.stored_events
    ADD CONSTRAINT stored_events_pkey PRIMARY KEY (originator_id, originator_version);

ALTER TABLE ONLY store.topic_findings
    ADD CONSTRAINT topic_findings_pkey PRIMARY KEY (topic, code, name);

ALTER TABLE ONLY vault.installation
    ADD CONSTRAINT installation_pkey PRIMARY KEY (only_row);

ALTER TABLE ONLY vault.pseudonym_key
    ADD CONSTRAINT pseudonym_key_pkey PRIMARY KEY (only_row);

ALTER TABLE ONLY vault.reads
    ADD CONSTRAINT reads_pkey PRIMARY KEY (id);

ALTER TABLE ONLY vault.subject_keys
    ADD CONSTRAINT subject_keys_pkey PRIMARY KEY (subject_id);

ALTER TABLE ONLY vault.subjects
    ADD CONSTRAINT subjects_pkey PRIMARY KEY (subject_id, revision);

ALTER TABLE ONLY views.ahead
    ADD CONSTRAINT ahead_pkey PRIMARY KEY (case_id);

ALTER TABLE ONLY views.breaches
    ADD CONSTRAINT breaches_pkey PRIMARY KEY (topic, partition, "position");

ALTER TABLE ONLY views.cases
    ADD CONSTRAINT cases_pkey PRIMARY KEY (case_id);

ALTER TABLE ONLY views.charges
    ADD CONSTRAINT charges_pkey PRIMARY KEY (case_id, version, line);

ALTER TABLE ONLY views.connections
    ADD CONSTRAINT connections_pkey PRIMARY KEY (case_id);

ALTER TABLE ONLY views.crews
    ADD CONSTRAINT crews_pkey PRIMARY KEY (stream_id);

ALTER TABLE ONLY views.meters
    ADD CONSTRAINT meters_pkey PRIMARY KEY (case_id, point);

ALTER TABLE ONLY views.outages
    ADD CONSTRAINT outages_pkey PRIMARY KEY (case_id);

ALTER TABLE ONLY views.places
    ADD CONSTRAINT places_pkey PRIMARY KEY (reader, build, topic, partition);

ALTER TABLE ONLY views.usage
    ADD CONSTRAINT usage_pkey PRIMARY KEY (case_id);

ALTER TABLE ONLY views.visits
    ADD CONSTRAINT visits_pkey PRIMARY KEY (case_id, visit);

ALTER TABLE ONLY views.windows
    ADD CONSTRAINT windows_pkey PRIMARY KEY (case_id, commitment);

ALTER TABLE ONLY views.works
    ADD CONSTRAINT works_pkey PRIMARY KEY (case_id);

ALTER TABLE ONLY watch.ask_now
    ADD CONSTRAINT ask_now_pkey PRIMARY KEY (case_id);

ALTER TABLE ONLY watch.canaries
    ADD CONSTRAINT canaries_pkey PRIMARY KEY (pid, began_at);

ALTER TABLE ONLY watch.due
    ADD CONSTRAINT due_pkey PRIMARY KEY (case_id, commitment);

ALTER TABLE ONLY watch.lateness
    ADD CONSTRAINT lateness_pkey PRIMARY KEY (le);

ALTER TABLE ONLY watch.places
    ADD CONSTRAINT places_pkey PRIMARY KEY (reader, build, topic, partition);

ALTER TABLE ONLY watch.recompute
    ADD CONSTRAINT recompute_pkey PRIMARY KEY (only_row);

ALTER TABLE ONLY watch.sizes
    ADD CONSTRAINT sizes_pkey PRIMARY KEY (commitment);

ALTER TABLE ONLY watch.sweep
    ADD CONSTRAINT sweep_pkey PRIMARY KEY (only_row);

ALTER TABLE ONLY watch.tally
    ADD CONSTRAINT tally_pkey PRIMARY KEY (only_row);

CREATE INDEX commands_asked_actor ON approvals.commands USING btree (asked_actor, asked_at) WHERE (asked_actor IS NOT NULL);

CREATE INDEX commands_asked_role ON approvals.commands USING btree (asked_role, asked_at) WHERE (asked_role IS NOT NULL);

CREATE INDEX commands_asker ON approvals.commands USING btree (asker, asked_at);

CREATE INDEX commands_due ON approvals.commands USING btree (expires_at) WHERE (sealed IS NOT NULL);

CREATE INDEX commands_untold ON approvals.commands USING btree (expires_at) WHERE ((sealed IS NOT NULL) AND ((told_at IS NULL) OR (reminded_at IS NULL)));

CREATE INDEX accounts_meter ON billing.accounts USING btree (build, meter_number);

CREATE UNIQUE INDEX builds_live ON billing.builds USING btree (state) WHERE (state = 'live'::text);

CREATE INDEX classes_point ON billing.classes USING btree (build, case_id, point);

CREATE INDEX customers_point ON billing.customers USING btree (build, case_id, point);

CREATE UNIQUE INDEX differences_open ON billing.differences USING btree (kind, fee, item, what) WHERE (resolved_at IS NULL);

CREATE INDEX holds_standing ON billing.holds USING btree (build, meter, read_at) WHERE (released_at IS NULL);

CREATE INDEX inbox_case ON billing.inbox USING btree (build, case_id, "position");

CREATE UNIQUE INDEX inbox_natural ON billing.inbox USING btree (build, natural_key) WHERE (outcome = 'booked'::text);

CREATE INDEX meter_changes_point ON billing.meter_changes USING btree (build, case_id, point);

CREATE INDEX postings_case ON billing.postings USING btree (build, case_id);

CREATE INDEX files_state ON evidence.files USING btree (state) WHERE (state = ANY (ARRAY['storing'::text, 'quarantined'::text]));

CREATE INDEX files_to_delete ON evidence.files USING btree (digest) WHERE (objects_to_delete <> '{}'::integer[]);

CREATE INDEX links_at ON evidence.links USING btree (at) WHERE (gone IS NULL);

CREATE INDEX links_case ON evidence.links USING btree (case_id) WHERE (case_id IS NOT NULL);

CREATE INDEX links_subject ON evidence.links USING btree (subject_id) WHERE (subject_id IS NOT NULL);

CREATE INDEX links_untold ON evidence.links USING btree (at) WHERE (untold IS NOT NULL);

CREATE INDEX reads_actor ON evidence.reads USING btree (actor, at);

CREATE INDEX reads_digest ON evidence.reads USING btree (digest, at);

CREATE UNIQUE INDEX uploads_open ON evidence.uploads USING btree (actor, digest, class, case_id, subject_id) NULLS NOT DISTINCT WHERE (completed_at IS NULL);

CREATE INDEX uploads_subject ON evidence.uploads USING btree (subject_id) WHERE (subject_id IS NOT NULL);

CREATE INDEX uploads_touched ON evidence.uploads USING btree (touched_at);

CREATE INDEX sessions_actor ON identity.sessions USING btree (actor);

CREATE INDEX sessions_end ON identity.sessions USING btree (ends_at);

CREATE INDEX checkpoints_by_size ON notary.checkpoints USING btree (generation, size, number);

CREATE INDEX alerts_fresh ON outbox.alerts USING btree (raised_at) WHERE (NOT expanded);

CREATE INDEX alerts_latest ON outbox.alerts USING btree (raised_at);

CREATE INDEX alerts_of_case ON outbox.alerts USING btree (case_id);

CREATE INDEX alerts_open ON outbox.alerts USING btree (raised_at) WHERE (rank = 0);

CREATE INDEX alerts_to_settle ON outbox.alerts USING btree (closed_at) WHERE to_settle;

CREATE INDEX messages_dead ON outbox.messages USING btree (created_at) WHERE (state = 'dead'::text);

CREATE INDEX messages_due ON outbox.messages USING btree (next_attempt_at) WHERE (NOT recorded);

CREATE INDEX messages_of_approvals ON outbox.messages USING btree (created_at) WHERE ((kind = 'approval-request'::text) AND (state = 'waiting'::text));

CREATE INDEX messages_page ON outbox.messages USING btree (created_at) WHERE ((way = 'page'::text) AND (state = ANY (ARRAY['sent'::text, 'proven'::text])));

CREATE INDEX messages_to_staff ON outbox.messages USING btree (made_at) WHERE (made_at IS NOT NULL);

CREATE INDEX tellings_of_message ON outbox.tellings USING btree (message_id) WHERE (message_id IS NOT NULL);

CREATE INDEX tellings_unrecorded ON outbox.tellings USING btree (alert_id) WHERE ((state = 'withdrawn'::text) AND (NOT recorded));

CREATE INDEX tellings_waiting ON outbox.tellings USING btree (not_before) WHERE (state = 'waiting'::text);

CREATE INDEX anomalies_found ON readings.anomalies USING btree (found_at);

CREATE INDEX anomalies_untold ON readings.anomalies USING btree (found_at) WHERE (told < revision);

CREATE INDEX set_aside_at ON readings.set_aside USING btree (at);

CREATE INDEX command_keys_recorded_at ON store.command_keys USING brin (recorded_at) WITH (pages_per_range='16');

CREATE INDEX dead_letters_open ON store.dead_letters USING btree (reader, recorded_at) WHERE (state = ANY (ARRAY['open'::text, 'again'::text]));

CREATE INDEX dead_letters_unpublished ON store.dead_letters USING btree (id) WHERE (published_at IS NULL);

CREATE INDEX stored_events_complaints ON store.stored_events USING btree (notification_id) WHERE (topic = 'water.office.ComplaintMade.v1'::text);

CREATE INDEX stored_events_crews_formed ON store.stored_events USING btree (originator_id, originator_version) WHERE (topic = 'water.crew.CrewFormed.v1'::text);

CREATE INDEX stored_events_erased ON store.stored_events USING btree (originator_id) WHERE (topic = 'water.office.SubjectErased.v1'::text);

CREATE UNIQUE INDEX stored_events_position ON store.stored_events USING btree (notification_id);

CREATE INDEX stored_events_rights ON store.stored_events USING btree (notification_id) WHERE (topic = 'water.office.RightsRequestReceived.v1'::text);

CREATE INDEX stored_events_satisfaction ON store.stored_events USING btree (originator_id, originator_version) WHERE (topic = ANY (ARRAY['water.connection.SatisfactionGiven.v1'::text, 'water.repair.SatisfactionGiven.v1'::text]));

CREATE INDEX stored_events_subject ON store.stored_events USING btree (vault.subject_of(state)) WHERE vault.names_a_person(topic);

CREATE INDEX reads_actor ON vault.reads USING btree (actor, at);

CREATE INDEX reads_subject ON vault.reads USING btree (subject_id, at);

CREATE INDEX subjects_address ON vault.subjects USING btree (address_hash) WHERE (address_hash IS NOT NULL);

CREATE INDEX subjects_address_due ON vault.subjects USING btree (subject_id, revision) WHERE ((sealed IS NOT NULL) AND (NOT address_indexed));

CREATE INDEX subjects_phone ON vault.subjects USING btree (phone_hash) WHERE (phone_hash IS NOT NULL);

CREATE INDEX subjects_plain ON vault.subjects USING btree (subject_id) WHERE (particulars IS NOT NULL);

CREATE INDEX ahead_asked ON views.ahead USING btree (asked_at);

CREATE INDEX breaches_change ON views.breaches USING btree (change, "position" DESC);

CREATE INDEX breaches_position ON views.breaches USING btree ("position");

CREATE INDEX cases_books ON views.cases USING btree (case_id) WHERE (family = 'book'::text);

CREATE INDEX cases_crew ON views.cases USING btree (lower(crew)) WHERE (family = 'repair'::text);

CREATE INDEX cases_mass ON views.cases USING btree (mass) WHERE (mass IS NOT NULL);

CREATE INDEX cases_newest ON views.cases USING btree (opened_at DESC, case_id);

CREATE INDEX cases_number ON views.cases USING btree (case_number);

CREATE INDEX cases_open ON views.cases USING btree (opened_at) WHERE open;

CREATE INDEX cases_to_link ON views.cases USING btree (district, kind, opened_at) WHERE (open AND (family = 'repair'::text));

CREATE INDEX charges_happened ON views.charges USING btree (happened_at);

CREATE INDEX charges_position ON views.charges USING btree ("position");

CREATE INDEX connections_open ON views.connections USING btree (received_at) WHERE (water_on_at IS NULL);

CREATE INDEX connections_received ON views.connections USING btree (received_at);

CREATE INDEX crews_free ON views.crews USING btree (crew) WHERE ((on_case IS NULL) AND on_shift);

CREATE INDEX outages_announced ON views.outages USING btree (announced_at);

CREATE INDEX outages_running ON views.outages USING btree (started_at) WHERE ((restored_at IS NULL) AND (cancelled_at IS NULL));

CREATE INDEX usage_meter ON views.usage USING btree (meter, read_at);

CREATE INDEX usage_open ON views.usage USING btree (found_at) WHERE open;

CREATE INDEX visits_begin ON views.visits USING btree (begin_at);

CREATE INDEX visits_booked ON views.visits USING btree (begin_at, visit) WHERE (state = 'booked'::text);

CREATE INDEX windows_by_case ON views.windows USING btree (case_id) WHERE ((calendar IS NOT NULL) AND (state = ANY (ARRAY['running'::text, 'lapsed'::text])));

CREATE INDEX windows_latest ON views.windows USING btree (due_at DESC NULLS LAST, case_id, commitment);

CREATE INDEX windows_owed ON views.windows USING btree (due_at) WHERE ((family = 'repair'::text) AND (state = ANY (ARRAY['running'::text, 'lapsed'::text])));

CREATE INDEX windows_provisional ON views.windows USING btree (case_id) WHERE (provisional_until IS NOT NULL);

CREATE INDEX windows_running ON views.windows USING btree (due_at) WHERE (state = 'running'::text);

CREATE INDEX due_next ON watch.due USING btree (next_ask_at) WHERE (next_ask_at IS NOT NULL);

CREATE CONSTRAINT TRIGGER postings_balance AFTER INSERT OR DELETE OR UPDATE ON billing.postings DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION billing.require_balance();

ALTER TABLE ONLY billing.accounts
    ADD CONSTRAINT accounts_build_event_id_fkey FOREIGN KEY (build, event_id) REFERENCES billing.inbox(build, event_id) ON DELETE CASCADE;

ALTER TABLE ONLY billing.changes
    ADD CONSTRAINT changes_build_event_id_fkey FOREIGN KEY (build, event_id) REFERENCES billing.inbox(build, event_id) ON DELETE CASCADE;

ALTER TABLE ONLY billing.classes
    ADD CONSTRAINT classes_build_event_id_fkey FOREIGN KEY (build, event_id) REFERENCES billing.inbox(build, event_id) ON DELETE CASCADE;

ALTER TABLE ONLY billing.customers
    ADD CONSTRAINT customers_build_event_id_fkey FOREIGN KEY (build, event_id) REFERENCES billing.inbox(build, event_id) ON DELETE CASCADE;

ALTER TABLE ONLY billing.meter_changes
    ADD CONSTRAINT meter_changes_build_event_id_fkey FOREIGN KEY (build, event_id) REFERENCES billing.inbox(build, event_id) ON DELETE CASCADE;

ALTER TABLE ONLY billing.postings
    ADD CONSTRAINT postings_build_event_id_fkey FOREIGN KEY (build, event_id) REFERENCES billing.inbox(build, event_id) ON DELETE CASCADE;

ALTER TABLE ONLY billing.readings
    ADD CONSTRAINT readings_build_event_id_fkey FOREIGN KEY (build, event_id) REFERENCES billing.inbox(build, event_id) ON DELETE CASCADE;

ALTER TABLE ONLY evidence.links
    ADD CONSTRAINT links_digest_fkey FOREIGN KEY (digest) REFERENCES evidence.files(digest);

ALTER TABLE ONLY evidence.parts
    ADD CONSTRAINT parts_upload_id_fkey FOREIGN KEY (upload_id) REFERENCES evidence.uploads(id) ON DELETE CASCADE;

ALTER TABLE ONLY identity.recovery_codes
    ADD CONSTRAINT recovery_codes_actor_fkey FOREIGN KEY (actor) REFERENCES identity.credentials(actor) ON DELETE CASCADE;

ALTER TABLE ONLY notary.checkpoints
    ADD CONSTRAINT checkpoints_generation_fkey FOREIGN KEY (generation) REFERENCES notary.logs(generation);

ALTER TABLE ONLY outbox.tellings
    ADD CONSTRAINT tellings_alert_id_fkey FOREIGN KEY (alert_id) REFERENCES outbox.alerts(id);
