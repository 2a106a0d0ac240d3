// Made from the types of the server, and compared with them by its tests: not to be edited.
// KTK_WRITE_DOCS=1 makes it anew (docs/api/README.md).

/** A command was carried out, or had been before. */
export type Accepted = {
  /** The position to read from to see it. */
  stream_seq: number;
};

/** What becomes of a task. */
export type Action = "keep" | "rerun" | "revive" | "skip";

/** How waiting counts as priority, so that nothing waits for ever. */
export type Ageing = {
  /** Who has waited longer by this goes before who has one more of priority. */
  every: Millis;
};

/** A task that an executor works on. */
export type Alive = {
  /** The attempt that runs. */
  attempt: number;
  /** Where. */
  node: string | null;
  /** Since when. */
  started_at: Timestamp | null;
  /** Its name in the pipeline, or its key under its parent. */
  step: string | null;
  /** The task. */
  task_id: Id;
};

/** Resources that exist now. */
export type Allocated = {
  /** Their ids. */
  ids: Array<Id>;
  /** The position to read from to see them. */
  stream_seq: number;
};

/** What became of the documents. */
export type Applied = {
  /** One per document, in their order. */
  items: Array<AppliedItem>;
  /** The position to read from to see them. */
  stream_seq: number;
};

/** What became of one document. */
export type AppliedItem = {
  /** Whether this made it so. */
  change: Change;
  /** `Specification`, `Type`, `Pipeline` or `Policy`. */
  kind: string;
  /** Its name. */
  name: string;
  /** The version that is the latest now. */
  version: number;
};

/** A yes to an approval. */
export type Approval = {
  /** When it was given. */
  at: Timestamp;
  /** Whose. */
  by: string;
};

/** People who have to say yes. */
export type ApprovalNeeded = {
  /** Who may; empty: anybody. */
  by?: Array<string>;
  /** How many different people have to. */
  count: number;
  /** What is approved, unique in the task. */
  name: string;
};

export type ApprovalNeededInput = 
  | string
  | {
  /** Who may; empty: anybody. */
  by?: Array<string>;
  /** How many different people have to. */
  count?: number;
  /** What is approved, unique in the task. */
  name: string;
};

/** An approval, now. */
export type Approved = {
  /** Who has given it. */
  given: Array<string>;
  /** How many must. */
  needed: number;
  /** The position to read from to see it. */
  stream_seq: number;
};

/** One try. */
export type Attempt = {
  /** Which of its attempts, 1 for the first. */
  attempt: number;
  /** The run of that service. */
  boot_id: Id | null;
  /** When it ended, or was ended. */
  ended_at: Timestamp | null;
  /** Why it failed. */
  error: Failure | null;
  /** The `stream_seq` of its `TaskReceived`: only its holder writes under it. */
  fence: number | null;
  /** What it read: values, those that scripts made included, or the resources they are in. A large value is `{"digest", "size"}`. */
  inputs: Record<string, Input>;
  /** The service that claimed it; `None` if none did. */
  node: string | null;
  /** How it ended, or that it runs. */
  outcome: AttemptOutcome;
  /** When it was announced. */
  ready_at: Timestamp | null;
  /** What its holder tried to write after that, and why it was refused. */
  refused?: string | null;
  /** The version that ran. */
  specification: SpecificationRef;
  /** When it was claimed. */
  started_at: Timestamp | null;
  /** The task. */
  task_id: Id;
};

/** How an attempt ended. */
export type AttemptOutcome = "running" | "ok" | "failed" | "lost" | "expired" | "cancelled";

/** Attempts of a chain of restarts. */
export type Attempts = {
  /** The position that this is as of. */
  as_of_seq: number;
  /** In the order in which they began, at most 1,000. */
  items: Array<Attempt>;
  /** Whether there were more, before these. */
  truncated: boolean;
};

/** Some entries of the audit. */
export type AuditPage = {
  /** In order; none at the end. */
  items: Array<StoredAudit>;
};

/** One thing that a task waits for. When all are ready it may run, and when one has failed it never will, unless a restart brings what it lacks. */
export type AwaitedPart = {
  /** What: of an input, `{"resource": id}`; of a rule, an expression that says the same. */
  data: Expression_over_Id;
  /** The input's name, `when: ` and the task's rule, or `depends_on`. */
  name: string;
  /** Whether it has happened. An input that the task's rule lets it do without is ready, too, as soon as the rule holds. */
  status: DependencyStatus;
};

/** An order to begin a chain anew, as the stream is not the one any more that was sealed. */
export type Begun = {
  /** Who gave it. */
  by: string;
  /** Why. */
  reason: string;
};

/** One input of a task. */
export type Binding = {
  /** A Rhai expression that fits the value to the input. */
  map?: string | null;
  /** The names under which the script sees the value, besides `value`. */
  names?: Array<string>;
  /** Where the value comes from. */
  source: Source;
  /** What the value must be once the script has run. */
  type: Type;
};

/** A large value. */
export type Blob = {
  /** Its JSON, to the letter. */
  content: string;
};

/** Where a value that is too large for an event lies: by content, in the blob store. */
export type BlobRef = {
  /** `sha256:<hex>` of the bytes. */
  digest: string;
  /** Length in bytes. */
  size: number;
};

/** What an operation over many records is, and came to. */
export type Bulk = {
  /** What is done to each. */
  action: BulkAction;
  /** Who started it. It stands in the events as the actor, and the operation as their cause. */
  by: string;
  /** Who has stopped it. */
  cancelled_by?: string | null;
  /** How many records it has changed. */
  changed: number;
  /** What they were, when it was started. */
  filter?: Record<string, unknown>;
  /** Of which kind. */
  kind: BulkKind;
  /** Whose records they are. */
  namespace: Namespace;
  /** Why, of the first hundred. */
  refusals?: Array<Refusal>;
  /** How many the rules refused it for. */
  refused: number;
  /** How many were so already. */
  unchanged: number;
  /** What they were besides. */
  where?: string | null;
};

/** What is done to each record. */
export type BulkAction = 
  | {
  cancel: {
    /** Of tasks: also those that wait for them. */
    cascade?: boolean;
    /** Why, for people. */
    reason: string;
  };
}
  | {
  restart: {
    /** What becomes of outputs; `reuse` unless given. */
    outputs?: OutputPolicy | null;
    /** Why, for people. */
    reason: string;
    /** Which versions of specifications run; `same` unless given. */
    version?: VersionPolicy | null;
  };
}
  | {
  label: {
    /** Whether those that they have with another value may be replaced. */
    overwrite?: boolean;
    /** The names of those to take off. */
    remove?: Array<string>;
    /** Those to put on them, by name. */
    set?: Record<string, string>;
  };
}
  | {
  release: Record<string, never>;
};

/** What is done to each record. */
export type BulkActionInput = 
  | {
  cancel: {
    /** Of tasks: also those that wait for them. */
    cascade?: boolean;
    /** Why, for people. */
    reason?: string;
  };
}
  | {
  restart: {
    /** What becomes of outputs; `reuse` unless given. */
    outputs?: OutputPolicy | null;
    /** Why, for people. */
    reason?: string;
    /** Which versions of specifications run; `same` unless given. */
    version?: VersionPolicy | null;
  };
}
  | {
  label: {
    /** Whether those that they have with another value may be replaced. */
    overwrite?: boolean;
    /** The names of those to take off. */
    remove?: Array<string>;
    /** Those to put on them, by name. */
    set?: Record<string, string>;
  };
}
  | {
  release: Record<string, never>;
};

/** What an operation is about. */
export type BulkKind = "task" | "context" | "resource";

/** The order was given, or had been before. */
export type Cancelled = {
  /** What it reaches that ran when it was given and is not known to have ended since: processes are told to stop, and killed once their grace time is over. At most 1,000. */
  alive: Array<Alive>;
  /** How many these are in all; `None` if that could not be told in time. */
  alive_total: number | null;
  /** The position to read from to see it. */
  stream_seq: number;
};

/** Why something can never be. */
export type Cause = "rule" | "failure";

/** A link of the chain over events, as hexadecimal digits. */
export type Chain = string;

/** What an apply came to. */
export type Change = "created" | "configured" | "unchanged";

/** An order to stop what a task had spawned before it ended. */
export type ChildrenCancelled = {
  /** When. */
  at: Timestamp;
  /** Who ordered it. */
  by?: string | null;
  /** Why. */
  reason: string;
};

/** A context as it is since a position. */
export type ContextChanged = {
  /** The context. */
  context: ContextDocument;
  /** The position. */
  stream_seq: number;
};

/** A context. One that a single task opened has no pipeline. */
export type ContextDocument = {
  /** Why it was ordered to stop, if it was and nothing of it was to run again since. */
  cancelled: string | null;
  /** Who ordered that. */
  cancelled_by?: string | null;
  /** When it began. */
  created_at: Timestamp;
  /** When its last task ended. */
  finished_at: Timestamp | null;
  /** The id. */
  id: Id;
  /** For people and selectors. */
  labels: Record<string, string>;
  /** The last order to stop, whatever was to run again since. */
  last_cancelled?: Stop | null;
  /** Whose it is. */
  namespace: Namespace;
  /** The resources that hold the pipeline's outputs, or will. */
  outputs: Record<string, Id>;
  /** With which parameters. */
  params: Record<string, unknown>;
  /** Whether it is to wait, by whom and why. */
  paused?: Paused | null;
  /** What runs. */
  pipeline: PipelineRef | null;
  /** The restarts of several of its tasks, oldest first: the last 100. */
  restarts?: Array<ContextRestart>;
  /** What its tasks come to. */
  status: ContextStatus;
  /** The last event that changed it. */
  stream_seq: number;
  /** How many tasks are in which state. */
  tasks: TaskCounts;
  /** When it or one of its tasks changed last. */
  updated_at: Timestamp;
};

/** A restart of several tasks of a context. */
export type ContextRestart = {
  /** When. */
  at: Timestamp;
  /** Who ordered it. */
  by: string;
  /** Its id, as tasks name it in `restarted.step_of`. */
  id: Id;
  /** What becomes of outputs. */
  outputs: OutputPolicy;
  /** Why. */
  reason: string;
  /** Whether each of them was, or was found overtaken. */
  settled: boolean;
  /** How many tasks are to be restarted or revived. */
  steps: number;
  /** Where. */
  stream_seq: number;
  /** Those that somebody overtook: the first 100. */
  superseded?: Array<Superseded>;
  /** How many these are in all. */
  superseded_total: number;
  /** What was asked for. */
  target: Target;
  /** Which versions run. */
  version: VersionPolicy;
};

/** What the tasks of a context come to. */
export type ContextStatus = "running" | "ok" | "failed" | "cancelled";

/** What of a context is to run again. */
export type ContextTarget = "failed" | "all" | {
  from: string;
};

/** A context that was waited for. */
export type ContextWaited = {
  /** The position that this is as of. */
  as_of_seq: number;
  /** The context. */
  context: ContextDocument;
  /** Whether all its tasks have ended; if not, the wait was over first. */
  done: boolean;
  /** The values of the pipeline's outputs that are there; large ones as `{"digest", "size"}`. */
  outputs: Record<string, unknown>;
};

/** How many there are. */
export type Counts = {
  /** The position that `total` and `by_status` are as of. */
  as_of_seq: number;
  /** By status: `ready`, `finished/ok`, … */
  by_status: Record<string, number>;
  /** By the field that was named, if one was. */
  groups?: Groups | null;
  /** All of them. */
  total: number;
};

/** Minutes at which something starts: `minute hour day-of-month month day-of-week`, as in crontab(5), or `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`. */
export type Cron = string;

/** What a consumer could not digest. */
export type DeadLetter = {
  /** When it was given up. */
  at: Timestamp;
  /** Who could not digest it: the name of a durable. */
  consumer: string;
  /** The type of the original, if it said one. */
  event_type: string | null;
  /** Its number. */
  letter: number;
  /** The original, as far as it is text; where one letter was asked for. */
  payload?: string | null;
  /** Why. */
  reason: string;
  /** The position of the original in the stream of events. */
  stream_seq: number;
  /** The subject of the original. */
  subject: string;
};

/** Some dead letters. */
export type DeadLetters = {
  /** Oldest first, without their messages. */
  items: Array<DeadLetter>;
  /** How many come after them. */
  left: number;
};

/** An output passed to a child: it resolves the resource instead. */
export type Delegation = {
  /** The child's id. */
  child: Id;
  /** The child's name for it. */
  output: string;
};

/** What became of one of them. */
export type DeletedItem = {
  /** Whether this deleted it; no if there was none. */
  deleted: boolean;
  /** `Policy` or `Secret`. */
  kind: string;
  /** Its name. */
  name: string;
};

/** That something was deleted. */
export type Deletion = {
  /** When. */
  at: Timestamp;
  /** By whom. */
  by: string;
};

/** What became of that which was to be deleted. */
export type Deletions = {
  /** Each once, in the order in which they were named, documents first. */
  items: Array<DeletedItem>;
  /** The position to read from to see it; 0 if nothing was recorded, as secrets are not. */
  stream_seq: number;
};

/** Whether what a task waits for has happened. */
export type DependencyStatus = "PENDING" | "READY" | "FAILED";

/** What an apply would change in one document. */
export type Difference = {
  /** Whether this made it so. */
  change: Change;
  /** The fields that would change; none where only what it refers to is another by now. */
  changes: Array<FieldChange>;
  /** `Specification`, `Type`, `Pipeline` or `Policy`. */
  kind: string;
  /** Its name. */
  name: string;
  /** The version that is the latest now. */
  version: number;
};

/** What an apply would change. */
export type Differences = {
  /** One per document, in their order. */
  items: Array<Difference>;
  /** The position that they are as of. */
  stream_seq: number;
};

/** The values of a field, in their order. */
export type Distinct = {
  /** The position that they are as of. */
  as_of_seq: number;
  /** Whether these are all of them. */
  complete: boolean;
  /** The values, null not among them. */
  values: Array<unknown>;
};

/** A problem of one document. */
export type DocumentProblem = {
  /** Index of the document, from 0. */
  document: number;
  /** What is wrong. */
  message: string;
  /** Where, as keys from the document's root: `["spec", "tasks", "words", "with", "page"]`. */
  path: Array<string>;
  /** What to write instead. */
  suggestion?: string | null;
};

/** A context as a drawing, in layers from left to right. Tasks that others took the place of are left out. */
export type Drawing = {
  /** The position that this is as of. */
  as_of_seq: number;
  /** The context. */
  context: ContextDocument;
  /** What joins them: each edge leads to a later layer. */
  edges: Array<GraphEdge>;
  /** How many layers there are. */
  layers: number;
  /** Its tasks, at most 5,000, in the order in which they can run. */
  nodes: Array<GraphNode>;
  /** How many rows the longest layer has. */
  rows: number;
};

/** What joins two tasks. */
export type EdgeKind = "data" | "after" | "spawn";

/** What becomes of one task. */
export type Entry = {
  /** What becomes of it. */
  action: Action;
  /** The tasks of the plan whose fresh outputs it reads, or whose restart revives it. */
  after?: Array<Id>;
  /** The `stream_seq` of the task's last event when that was decided. */
  position: number;
  /** Why, for people. */
  reason: string;
  /** The outputs that fresh ones take the place of. */
  replaces?: Record<string, Id>;
  /** The restart that revives it, if that was before. */
  revived?: Revived | null;
  /** The version of its specification that the successor has, if it is another. */
  specification?: SpecificationRef | null;
  /** Its name in the pipeline, or its key under its parent. */
  step?: string | null;
  /** The task. */
  task_id: Id;
};

/** The `data` of an error. */
export type ErrorData = {
  /** The state that the decision was made on, e.g. `received`. */
  current?: string | null;
  /** The part of the call that is to blame, e.g. `inputs.page`. */
  field?: string | null;
  /** The problems of a manifest. */
  problems?: Array<DocumentProblem>;
  /** For programs, finer than the code. */
  reason: string;
  /** Of a subscription that ended: the `from_seq` with which another one goes on. */
  resume_from?: number | null;
  /** Whether the same call may do better later. */
  retryable: boolean;
  /** To find it in the logs. */
  trace_id?: string | null;
  /** Who was faster. */
  winner?: Id | null;
};

/** An event that somebody waits for, in the namespace of the task. */
export type EventPattern = {
  /** The aggregate that it happens to; any unless given. */
  id?: Id | null;
  /** Labels that the aggregate must have, among others. */
  labels?: Record<string, string>;
  /** Its stored name, e.g. `SpecificationApplied`. */
  type: string;
};

/** How the work is done. */
export type Executable = 
  | {
  /** The program and its arguments. */
  command: Array<string>;
  /** Where it runs; default: a directory of its own. */
  cwd?: string | null;
  /** Added to the environment. */
  env?: Record<string, string>;
  type: "process";
}
  | {
  /** Added to the request. */
  headers?: Record<string, string>;
  type: "http";
  /** Where to. */
  url: string;
}
  | {
  /** The source. */
  script: string;
  type: "rhai";
}
  | {
  type: "noop";
}
  | {
  /** How long. */
  duration: Millis;
  /** What comes of it. */
  outputs?: Record<string, unknown>;
  type: "sleep";
};

/** A time that was up before an attempt could end the task. */
export type Expired = "queue" | "total";

/** The first line of an export. */
export type ExportHeader = {
  /** What the chain over the events begins with. */
  chain_start: Chain;
  /** Only this context. */
  context_id?: Id | null;
  /** The first position. */
  from_seq: number;
  /** `Self::FORMAT`. */
  kantoku: string;
  /** Only this namespace. */
  namespace?: Namespace | null;
  /** When the stream was created: positions mean nothing in another. */
  stream_created: Timestamp;
  /** The last position. */
  to_seq: number;
};

/** Part of a stretch. */
export type Exported = {
  /** In the order of the stream; some hundreds at most, and none where nothing matched. */
  events: Array<Line>;
  /** What this is part of. */
  header: ExportHeader;
  /** Messages between them that are no events. */
  left_out?: Array<LeftOut>;
  /** Where the next part starts; `None` at the end. */
  next_seq: number | null;
};

/** An expression over facts. A task may run when all its inputs are resolved and this holds. `R` is how tasks and resources are named: by ids in a task, by texts in a pipeline. */
export type Expression_over_Id = 
  | {
  all: Array<Expression_over_Id>;
}
  | {
  any: Array<Expression_over_Id>;
}
  | {
  at_least: {
    /** How many. */
    count: number;
    /** The parts. */
    of: Array<Expression_over_Id>;
  };
}
  | {
  not: Expression_over_Id;
}
  | {
  within: {
    /** What. */
    of: Expression_over_Id;
    /** How long. */
    time: Millis;
  };
}
  | {
  resource: Id;
}
  | {
  task: Id;
}
  | {
  done: Id;
}
  | {
  failed: Id;
}
  | {
  at: Timestamp;
}
  | {
  window: Window;
}
  | {
  approval: ApprovalNeeded;
}
  | {
  event: EventPattern;
}
  | {
  http: HttpProbe;
};

/** An expression over facts. A task may run when all its inputs are resolved and this holds. `R` is how tasks and resources are named: by ids in a task, by texts in a pipeline. */
export type Expression_over_IdInput = 
  | {
  all: Array<Expression_over_IdInput>;
}
  | {
  any: Array<Expression_over_IdInput>;
}
  | {
  at_least: {
    /** How many. */
    count: number;
    /** The parts. */
    of: Array<Expression_over_IdInput>;
  };
}
  | {
  not: Expression_over_IdInput;
}
  | {
  within: {
    /** What. */
    of: Expression_over_IdInput;
    /** How long. */
    time: Millis;
  };
}
  | {
  resource: Id;
}
  | {
  task: Id;
}
  | {
  done: Id;
}
  | {
  failed: Id;
}
  | {
  at: Timestamp;
}
  | {
  window: WindowInput;
}
  | {
  approval: ApprovalNeededInput;
}
  | {
  event: EventPattern;
}
  | {
  http: HttpProbeInput;
};

/** An expression over facts. A task may run when all its inputs are resolved and this holds. `R` is how tasks and resources are named: by ids in a task, by texts in a pipeline. */
export type Expression_over_string = 
  | {
  all: Array<Expression_over_string>;
}
  | {
  any: Array<Expression_over_string>;
}
  | {
  at_least: {
    /** How many. */
    count: number;
    /** The parts. */
    of: Array<Expression_over_string>;
  };
}
  | {
  not: Expression_over_string;
}
  | {
  within: {
    /** What. */
    of: Expression_over_string;
    /** How long. */
    time: Millis;
  };
}
  | {
  resource: string;
}
  | {
  task: string;
}
  | {
  done: string;
}
  | {
  failed: string;
}
  | {
  at: Timestamp;
}
  | {
  window: Window;
}
  | {
  approval: ApprovalNeeded;
}
  | {
  event: EventPattern;
}
  | {
  http: HttpProbe;
};

/** What went wrong in an attempt. */
export type Failure = {
  /** Of a process. */
  exit_code?: number | null;
  /** For programs: `exit`, `timeout`, `script`, `type`, `http`, `start`, `lease`, `shutdown`, `result`, `secret`, `infrastructure`. */
  kind: string;
  /** For people. */
  message: string;
  /** Whether another attempt may do better. */
  retryable: boolean;
  /** The end of what a process wrote to stderr. */
  stderr_tail?: string | null;
};

/** A field that would change. */
export type FieldChange = {
  /** What would be there, if anything would. */
  new?: unknown;
  /** What is there, if anything is. */
  old?: unknown;
  /** Where, as keys from the document's root: `["spec", "retry", "attempts"]`. */
  path: Array<string>;
};

/** Something that should not be so. */
export type Finding = {
  /** What to do about it. */
  advice: string;
  /** Whose, as `task/ID`. */
  aggregate?: string | null;
  /** What it is. */
  message: string;
  /** Which rule it breaks. */
  rule: string;
  /** Where in the stream. */
  stream_seq?: number | null;
};

/** What joins two tasks. */
export type GraphBy = "parent" | "data";

/** From a task to one that comes after it. */
export type GraphEdge = {
  /** The task that comes first. */
  from: Id;
  /** What joins them. */
  kind: EdgeKind;
  /** The places that the line goes through, those of both tasks included. Where no task stands it goes straight to the next layer. */
  path: Array<Place>;
  /** The other. */
  to: Id;
};

/** A task in a drawing. */
export type GraphNode = {
  /** Where it stands. */
  place: Place;
  /** The task. */
  task: TreeTask;
};

/** How many have a value. */
export type Group = {
  /** How many have it. */
  count: number;
  /** The value; null for those that have none. */
  value: unknown;
};

/** How many there are for each value of a field. */
export type Groups = {
  /** The position that these are as of. */
  as_of_seq: number;
  /** Whether these are all of them. */
  complete: boolean;
  /** Those with most first. */
  items: Array<Group>;
};

/** A GET that is answered as expected. */
export type HttpProbe = {
  /** How often it is asked. */
  every: Millis;
  /** The status that is waited for. */
  expect: number;
  /** Where to. It is stored in events, so it may hold no password. */
  url: string;
};

export type HttpProbeInput = 
  | string
  | {
  /** How often it is asked. */
  every?: Millis;
  /** The status that is waited for. */
  expect?: number;
  /** Where to. It is stored in events, so it may hold no password. */
  url: string;
};

/** A uuid. */
export type Id = string;

/** What became of them. */
export type Imported = {
  /** How many were not there already. */
  appended: number;
  /** The position of the last. */
  stream_seq: number;
};

/** What this is. */
export type Info = {
  /** What that may cost, and what to do about it; nothing if no event that was acknowledged can be lost. */
  at_risk?: string | null;
  /** How many consumers the stream of events has. */
  consumers: number;
  /** How many it may have, where that is known. */
  consumers_max?: number | null;
  /** The last position of the stream. */
  head_seq: number;
  /** The version of the NATS server. */
  nats_version: string;
  /** How far the read model has got. */
  projected_seq: number;
  /** How many NATS servers keep each event. */
  replicas: number;
  /** When the stream of events was created. */
  stream_created: Timestamp;
  /** When they write to their disks: `always`, `every 2s`, `unknown`. */
  sync: string;
  /** Of the API's build. */
  version: string;
};

/** The value of a resource. */
export type InitializeItem = {
  /** Which. */
  id: Id;
  /** What. */
  value: unknown;
};

/** What became of each resource. When there is only one, its failure is that of the call. */
export type Initialized = {
  /** In their order: `None` when it was done, else why not. */
  errors: Array<string | null>;
  /** The highest position among them; 0 when none was accepted. */
  stream_seq: number;
};

/** One input of a task. */
export type Input = {
  value: unknown;
} | {
  resource: Id;
} | {
  secret: SecretName;
};

/** A key, as it is shown. */
export type Key = {
  /** How many calls a second it may make. */
  calls_per_second: number;
  /** When it was made. */
  created_at: Timestamp;
  /** By whom. */
  created_by: string;
  /** Until when it holds; `null`: until it is revoked. */
  expires_at: Timestamp | null;
  /** What it is told by. */
  id: string;
  /** Its name. */
  name: string;
  /** The namespaces in which it holds; `null`: all. */
  namespaces: Array<Namespace> | null;
  /** What it is good for. */
  role: Role;
};

/** A key that is new. */
export type KeyCreated = {
  /** The key. */
  key: Key;
  /** What its holder says: `Authorization: Bearer <secret>`. It is told here and nowhere else. */
  secret: string;
};

/** All keys. */
export type KeyPage = {
  /** In the order in which they were made. */
  items: Array<Key>;
};

/** What became of it. */
export type KeyRevoked = {
  /** The key, as it was. */
  key: Key;
};

/** The kinds of aggregates, as they stand in subjects. */
export type Kind = "context" | "namespace" | "pipeline" | "policy" | "resource" | "specification" | "task" | "type";

/** The labels of a task, now. */
export type Labelled = {
  /** All that it has. */
  labels: Record<string, string>;
  /** The position to read from to see it. */
  stream_seq: number;
};

/** A message of the stream that is no event. */
export type LeftOut = {
  /** Why it is none. */
  reason: string;
  /** Where it lies. */
  stream_seq: number;
};

/** A limit. One of `specification`, `label` and `key` says of which tasks and how they are counted. */
export type Limit = {
  /** How many may be announced or run at once. */
  concurrency?: number | null;
  /** The tasks for which this gives a text, each text apart: `{labels.team}/{specification}`. */
  key?: Template | null;
  /** The tasks that have this label, each value apart. */
  label?: string | null;
  /** How many may start in a while. */
  rate?: Rate | null;
  /** The tasks of a specification, together. */
  specification?: Name | null;
  /** Of these, those with this value only. */
  value?: string | null;
};

/** The document of an event, to the letter as it is stored, whichever version wrote it. */
export type Line = Record<string, unknown>;

/** A value. */
export type LoadedValue = {
  /** The position that this is as of. */
  as_of_seq: number;
  /** The resource. */
  id: Id;
  /** Its value. */
  value: unknown;
};

/** A line that a task wrote. */
export type LogEntry = {
  /** When. */
  at: Timestamp;
  /** The attempt that wrote it. */
  attempt: number;
  /** `stdout`, `stderr`, or `system` for what the executor says about the attempt. */
  stream: string;
  /** What. */
  text: string;
};

/** Lines that a task wrote. */
export type LogPage = {
  /** In the order in which they were written. */
  lines: Array<LogEntry>;
  /** For the next page; `None` when there is nothing more by now. */
  next_after: number | null;
};

/** What is stored around every event. */
export type Metadata = {
  /** Who gave the command. */
  actor: string;
  /** When. */
  at: Timestamp;
  /** The event that made the command necessary. */
  causation_id?: Id | null;
  /** The command that was decided. */
  command_id: Id;
  /** The context. */
  correlation_id: Id;
  /** Identifies the event: uuid v5 of the command's id and an index. */
  event_id: Id;
  /** The `stream_seq` of the aggregate's event before this one; 0 for its first. */
  previous_seq: number;
  /** The version of the event's data, for upcasts. */
  schema: number;
  /** Which service decided. */
  service_id: string;
};

/** A duration as `250ms`, `1.5s`, `5m`, `2h` or `1d`, or a number of milliseconds. */
export type Millis = string | number;

/** An output of a pipeline that a fresh resource will hold. */
export type Moved = {
  /** Its output. */
  output: string;
  /** The task that runs again. */
  task_id: Id;
};

/** 1 to 253 characters of `A-Z a-z 0-9 _ - . /`, starting and ending with a letter or a digit, e.g. `text/words`. */
export type Name = string;

/** 1 to 63 characters of `a-z 0-9 -`, starting and ending with a letter or a digit. */
export type Namespace = string;

/** A namespace. Each one that can be written exists. */
export type NamespaceDocument = {
  /** Its name. */
  name: Namespace;
  /** Whether all its work is to wait, by whom and why. */
  paused: Paused | null;
  /** The last event that changed it; 0 if none did. */
  stream_seq: number;
};

/** Where an operation is. */
export type Operation = {
  /** The position that both were as of. */
  as_of_seq: number | null;
  /** Of one over many records: what it is, and came to. */
  bulk?: Bulk | null;
  /** How much is done. */
  done: number;
  /** By table whether the live one equals the rebuilt one; empty until it is known. */
  equal: Record<string, boolean>;
  /** Why it failed. */
  error: string | null;
  /** What was found wrong, as far as there is room for it. */
  findings?: Array<Finding>;
  /** When it ended. */
  finished_at: Timestamp | null;
  /** How much that was in all. */
  found: number;
  /** Which. */
  id: Id;
  /** `projection.rebuild`, `projection.verify` or `blob.verify`; of one over many records the kind of these and what is done to them: `task.cancel`. */
  kind: string;
  /** Since when it runs. */
  started_at: Timestamp;
  /** Where it is. */
  status: OperationStatus;
  /** Of how much. */
  total: number;
};

/** Operations. */
export type OperationPage = {
  /** The latest first. */
  items: Array<Operation>;
  /** For the next page; `None` after the last. */
  next_cursor: string | null;
};

/** An operation that was started, or what one would be about. */
export type OperationStarted = {
  /** The position that this is as of. */
  as_of_seq: number;
  /** How many records it is about. */
  count: number;
  /** To ask for it with. `None`: nothing was started. */
  operation_id?: Id | null;
  /** Of a preview: some of them, the last changed first, at most 20. */
  sample?: Array<Record<string, unknown>>;
};

/** Where an operation is in its life. */
export type OperationStatus = "running" | "done" | "failed" | "cancelled";

/** How it ended. */
export type Outcome = "ok" | "failed";

/** An output: the resource that the task will resolve, and of what type its value is. */
export type Output = {
  /** The resource. */
  id: Id;
  /** What the value must be. */
  type: Type;
};

/** What becomes of the outputs of a task that is restarted. */
export type OutputPolicy = "reuse" | "reallocate";

/** Part of a list, as of a position. */
export type PageOfContextDocument = {
  /** The position that they are as of. */
  as_of_seq: number;
  /** The documents. */
  items: Array<ContextDocument>;
  /** For the next part; `None` when there is none. */
  next_cursor: string | null;
};

/** Part of a list, as of a position. */
export type PageOfPipelineDocument = {
  /** The position that they are as of. */
  as_of_seq: number;
  /** The documents. */
  items: Array<PipelineDocument>;
  /** For the next part; `None` when there is none. */
  next_cursor: string | null;
};

/** Part of a list, as of a position. */
export type PageOfPolicyDocument = {
  /** The position that they are as of. */
  as_of_seq: number;
  /** The documents. */
  items: Array<PolicyDocument>;
  /** For the next part; `None` when there is none. */
  next_cursor: string | null;
};

/** Part of a list, as of a position. */
export type PageOfRecorded = {
  /** The position that they are as of. */
  as_of_seq: number;
  /** The documents. */
  items: Array<Recorded>;
  /** For the next part; `None` when there is none. */
  next_cursor: string | null;
};

/** Part of a list, as of a position. */
export type PageOfResourceDocument = {
  /** The position that they are as of. */
  as_of_seq: number;
  /** The documents. */
  items: Array<ResourceDocument>;
  /** For the next part; `None` when there is none. */
  next_cursor: string | null;
};

/** Part of a list, as of a position. */
export type PageOfSpecificationDocument = {
  /** The position that they are as of. */
  as_of_seq: number;
  /** The documents. */
  items: Array<SpecificationDocument>;
  /** For the next part; `None` when there is none. */
  next_cursor: string | null;
};

/** Part of a list, as of a position. */
export type PageOfTaskDocument = {
  /** The position that they are as of. */
  as_of_seq: number;
  /** The documents. */
  items: Array<TaskDocument>;
  /** For the next part; `None` when there is none. */
  next_cursor: string | null;
};

/** Part of a list, as of a position. */
export type PageOfTypeDocument = {
  /** The position that they are as of. */
  as_of_seq: number;
  /** The documents. */
  items: Array<TypeDocument>;
  /** For the next part; `None` when there is none. */
  next_cursor: string | null;
};

/** It is to wait. */
export type Paused = {
  /** Who ordered it. */
  by: string;
  /** Why. */
  reason?: string;
  /** Since when. */
  since: Timestamp;
};

/** A version of a pipeline. */
export type PipelineDocument = {
  /** When it was applied. */
  created_at: Timestamp;
  /** For people. */
  description: string;
  /** Its content. */
  digest: string;
  /** The same for all versions. */
  id: Id;
  /** Its name. */
  name: Name;
  /** Whose it is. */
  namespace: Namespace;
  /** What a run gives. */
  outputs: Record<string, string>;
  /** What a run is given. */
  params: Record<string, Type>;
  /** The event that applied it. */
  stream_seq: number;
  /** The steps by name. */
  tasks: Record<string, Step>;
  /** Which version, 1 for the first. */
  version: number;
};

/** A version of a pipeline. */
export type PipelineRef = {
  /** Its content. */
  digest: string;
  /** Its name. */
  name: Name;
  /** Which version, 1 for the first. */
  version: number;
};

/** A place in a drawing, without units. */
export type Place = {
  /** The layer, from 0. */
  layer: number;
  /** How far down in it, from 0. Neighbours are 1 apart, and shorter layers stand in the middle. */
  row: number;
};

/** What a restart comes to, task by task, in an order in which it can be carried out. */
export type Plan = {
  /** The context. */
  context_id: Id;
  /** Every task of the context that was not restarted before. */
  entries: Array<Entry>;
  /** What becomes of outputs. */
  outputs: OutputPolicy;
  /** Whether the context was ordered to stop, and goes on with this. */
  reopens?: boolean;
  /** The outputs of the pipeline that other resources will hold, by name: whose those are. */
  results?: Record<string, Moved>;
  /** What was asked for. */
  target: Target;
  /** Which versions run. */
  version: VersionPolicy;
};

/** A version of a policy. The latest holds, unless it was deleted. */
export type PolicyDocument = {
  /** How waiting counts as priority. */
  ageing: Ageing | null;
  /** When it was applied. */
  created_at: Timestamp;
  /** Whether the policy was deleted while this was its latest version. */
  deleted?: Deletion | null;
  /** For people. */
  description: string;
  /** Its content. */
  digest: string;
  /** Whether contexts have equal shares. */
  fair_share: boolean | null;
  /** The same for all versions. */
  id: Id;
  /** How much may run at once, or start in a while, by the names of limits. */
  limits: Record<string, Limit>;
  /** Its name. */
  name: Name;
  /** Whose it is. */
  namespace: Namespace;
  /** The last event that changed it: that applied it, or deleted the policy. */
  stream_seq: number;
  /** Which version, 1 for the first. */
  version: number;
};

/** A read model. */
export type Projection = {
  /** The last position of the stream. */
  head_seq: number;
  /** Its name. */
  name: string;
  /** How far it has got. */
  stream_seq: number;
};

/** The read models. */
export type Projections = {
  /** One per set of tables. */
  items: Array<Projection>;
};

/** How many attempts may start in any span of time of this length. */
export type Rate = {
  /** How many. */
  count: number;
  /** The length of the span. */
  per: Millis;
};

/** An event as stored: the event document of the API. */
export type Recorded = {
  /** The kind of aggregate. */
  aggregate: Kind;
  /** The event's own fields, by its type. */
  data: Record<string, unknown>;
  /** The aggregate. */
  id: Id;
  /** Around it. */
  metadata: Metadata;
  /** Whose it is. */
  namespace: Namespace;
  /** Position in the stream. */
  stream_seq: number;
  /** Where it was published. */
  subject: string;
  /** What happened: the name under which the event is stored. */
  type: 
    | "ContextOpened"
    | "ContextCancelled"
    | "ContextPaused"
    | "ContextResumed"
    | "ContextRestarted"
    | "ContextRestartSettled"
    | "TaskSpawned"
    | "TaskReady"
    | "TaskReceived"
    | "TaskFinished"
    | "TaskAttemptFailed"
    | "TaskCancelled"
    | "TaskChildrenCancelled"
    | "TaskSkipped"
    | "TaskRevived"
    | "TaskRestarted"
    | "TaskApproved"
    | "TaskLabelled"
    | "TaskPaused"
    | "TaskResumed"
    | "ResourceAllocated"
    | "ResourceInitialized"
    | "ResourceReleased"
    | "SpecificationApplied"
    | "SpecificationPaused"
    | "SpecificationResumed"
    | "NamespacePaused"
    | "NamespaceResumed"
    | "TypeApplied"
    | "PipelineApplied"
    | "PolicyApplied"
    | "PolicyDeleted";
  /** Position in the aggregate, 1 for its first event. A `TaskReady`, which lies on its queue's subject, has the version of the event that it follows. */
  version: number;
};

/** What became of a dead letter that was to be delivered again. */
export type Redelivery = "taken" | "nobody_reads";

/** Why a record was left as it was. */
export type Refusal = {
  /** Which. */
  id: Id;
  /** For people. */
  message: string;
  /** For programs. */
  reason: string;
};

/** A resource. One with a value has either `value`, or `digest` and `size` of a blob. */
export type ResourceDocument = {
  /** The execution that it belongs to. */
  context_id: Id | null;
  /** When it was allocated. */
  created_at: Timestamp;
  /** The task that may or did resolve it; `None` when anyone may. */
  custodian: Id | null;
  /** Content of the blob that is its value. */
  digest?: string | null;
  /** The id. */
  id: Id;
  /** Whose it is. */
  namespace: Namespace;
  /** The name it has as an output of the task that it was made for. */
  output: string | null;
  /** When it got its value. */
  resolved_at?: Timestamp | null;
  /** Length of the blob in bytes. */
  size?: number | null;
  /** Where it is in its life. */
  status: ResourceStatus;
  /** The last event that changed it. */
  stream_seq: number;
  /** What its value must be. */
  type: Type;
  /** When it changed last. */
  updated_at: Timestamp;
  /** Its value, which may be null. */
  value?: unknown;
};

/** Where a resource is in its life. */
export type ResourceStatus = "allocated" | "ready" | "failed" | "released";

/** What a restart comes to. */
export type Restarted = {
  /** The context. */
  context_id: Id;
  /** What becomes of each task, and why. */
  plan: Plan;
  /** The restart as it is named in the context's document, if it is more than one task's. */
  restart_id?: Id | null;
  /** The position to read from to see it. `None`: nothing was done. */
  stream_seq?: number | null;
  /** Steps of a plan that was given which somebody overtook since it was made: they are not carried out. Those that are overtaken later are in the context's document. */
  superseded?: Array<Superseded>;
  /** The task that takes the place of the one that was named. `None`: nothing was done, or none was named. */
  task_id?: Id | null;
};

/** When a failed attempt is followed by another. */
export type RetryPolicy = {
  /** Attempts in all, the first included. 1 to 1,000. */
  attempts: number;
  /** The wait before the second attempt. */
  backoff: Millis;
  /** No wait is longer than this. */
  backoff_max: Millis;
  /** What each further wait is multiplied by. */
  factor: number;
  /** How many attempts may be lost with the executor that had them: killed, cut off, or stopped. Those are not the task's fault and do not count among `attempts`; a task that takes its executors along has to end all the same. 0: what may have been begun is never begun again. */
  losses_max?: number;
  /** The kinds of failures after which it is not. */
  not_on?: Array<string>;
  /** The kinds of failures after which it is tried again, whatever the executor thinks; none: those of which the executor says that another attempt may do better. */
  on?: Array<string>;
};

/** When a failed attempt is followed by another. */
export type RetryPolicyInput = {
  /** Attempts in all, the first included. 1 to 1,000. */
  attempts?: number;
  /** The wait before the second attempt. */
  backoff?: Millis;
  /** No wait is longer than this. */
  backoff_max?: Millis;
  /** What each further wait is multiplied by. */
  factor?: number;
  /** How many attempts may be lost with the executor that had them: killed, cut off, or stopped. Those are not the task's fault and do not count among `attempts`; a task that takes its executors along has to end all the same. 0: what may have been begun is never begun again. */
  losses_max?: number;
  /** The kinds of failures after which it is not. */
  not_on?: Array<string>;
  /** The kinds of failures after which it is tried again, whatever the executor thinks; none: those of which the executor says that another attempt may do better. */
  on?: Array<string>;
};

/** Why a task that was skipped waits again. */
export type Revival = {
  /** When. */
  at: Timestamp;
  /** What that was restarted as. */
  restarted_as: Id;
  /** The task because of which it was skipped. */
  root_cause: Id;
};

/** A task that was skipped waits again, as the task because of which it was skipped was restarted with its outputs reused. */
export type Revived = {
  /** What it was restarted as. */
  restarted_as: Id;
  /** That task. */
  root_cause: Id;
};

/** What somebody may do. Each may do what those before it may. */
export type Role = "viewer" | "operator" | "developer" | "admin";

/** A pipeline that was started. */
export type Run = {
  /** The context that it runs in. */
  context_id: Id;
  /** The resources that will hold the pipeline's outputs. */
  outputs: Record<string, Id>;
  /** The position to read from to see it. */
  stream_seq: number;
  /** How many tasks the plan has. */
  tasks: number;
  /** The version that runs. */
  version: number;
};

/** What compiling came to. */
export type ScriptChecked = {
  /** What is wrong; null if it is a script. */
  problem: ScriptProblem | null;
};

/** Why a script gave no value. */
export type ScriptProblem = {
  /** The column, from 1, where it is known. */
  column?: number | null;
  /** What kind of problem. */
  kind: ScriptProblemKind;
  /** The line, from 1, where it is known. */
  line?: number | null;
  /** All of it, for people. */
  message: string;
};

/** What kind of problem a script has. */
export type ScriptProblemKind = "compile" | "runtime" | "limit" | "timed_out" | "crashed" | "not_representable";

/** What running came to: a value or a problem. */
export type ScriptRan = {
  /** Why there is none. */
  problem?: ScriptProblem | null;
  /** The value, if there is one; it may be null. */
  value?: unknown;
};

/** Some seals. */
export type Seals = {
  /** In order; some hundreds at most, none at the end. */
  items: Array<StoredSeal>;
  /** The last of all; `None` before the first. */
  latest: StoredSeal | null;
};

/** A secret, as it is shown. */
export type Secret = {
  /** The id of the key that it is sealed under. */
  key_id: string;
  /** What it is called. */
  name: SecretName;
  /** Whose it is. */
  namespace: Namespace;
  /** Higher each time that it is set. */
  revision: number;
  /** When it was set. */
  set_at: Timestamp;
  /** By whom. */
  set_by: string;
};

/** The name of a secret within its namespace, e.g. `db-password`. */
export type SecretName = string;

/** All secrets of a namespace. */
export type SecretPage = {
  /** By name; at most 1,000. */
  items: Array<Secret>;
};

/** What the secret is: 8 characters to 65536 bytes. No answer ever holds it. */
export type SecretValue = string;

/** A service that is present. */
export type Service = {
  /** New with every start. */
  boot_id: string;
  /** Where. */
  host: string;
  /** `node`, `executor`, `api`, … */
  kind: string;
  /** What it offers. */
  labels: Record<string, string>;
  /** What it does alone of all that could: `scheduler`. */
  leads?: Array<string>;
  /** Its process there. */
  pid: number;
  /** Attempts that it runs, of an executor. */
  running: number | null;
  /** Survives restarts. */
  service_id: string;
  /** Attempts that it may run at once. */
  slots: number | null;
  /** Since when. */
  started_at: Timestamp;
  /** What it runs with. */
  version: string;
};

/** The services that are present. */
export type Services = {
  /** By kind, then id. */
  items: Array<Service>;
};

/** Where an input comes from. */
export type Source = {
  value: unknown;
} | {
  blob: BlobRef;
} | {
  resource: Id;
} | {
  secret: SecretName;
};

/** A task to create. */
export type SpawnParams = {
  /** The context that it joins; a new one unless given. */
  context_id?: Id | null;
  /** What it waits for besides its inputs. */
  depends_on?: Expression_over_IdInput | null;
  /** The same key in the same namespace, and in the same context where one is given, is the same task, however often it is sent. */
  idempotency_key?: string | null;
  /** What it reads. */
  inputs?: Record<string, Input>;
  /** For people and selectors. */
  labels?: Record<string, string>;
  /** Whose; `default` unless given. */
  namespace?: Namespace | null;
  /** Higher goes first. */
  priority?: number | null;
  /** Instead of the specification's. */
  retry?: RetryPolicyInput | null;
  /** Keeps related tasks on one shard. */
  shard_key?: string | null;
  /** What it does; its latest version. */
  specification: Name;
  /** Instead of the specification's. */
  timeouts?: Timeouts | null;
};

/** What became of one task of a batch. */
export type SpawnResult = 
  | {
  result: Spawned;
}
  | {
  error: {
    /** The application's or JSON-RPC's code. */
    code: number;
    /** For programs. */
    data: ErrorData;
    /** For people. */
    message: string;
  };
};

/** A task that exists now, or did before. */
export type Spawned = {
  /** Its context. */
  context_id: Id;
  /** The resources that it will resolve. */
  outputs: Record<string, Id>;
  /** The position to read from to see it. */
  stream_seq: number;
  /** The task. */
  task_id: Id;
};

/** What became of a batch. */
export type SpawnedBatch = {
  /** One result per task, in their order. */
  results: Array<SpawnResult>;
  /** The highest position among them; 0 when none was accepted. */
  stream_seq: number;
};

/** A version of a specification. */
export type SpecificationDocument = {
  /** When it was applied. */
  created_at: Timestamp;
  /** For people. */
  description: string;
  /** Its content. */
  digest: string;
  /** How. */
  executable: Executable;
  /** The same for all versions. */
  id: Id;
  /** What it reads. */
  inputs: Record<string, Type>;
  /** Its name. */
  name: Name;
  /** Whose it is. */
  namespace: Namespace;
  /** What it writes. */
  outputs: Record<string, Type>;
  /** Whether its tasks, of all versions, are to wait, by whom and why; added by queries. */
  paused: Paused | null;
  /** Where executors look for its tasks. */
  queue: string;
  /** How often its tasks are tried. */
  retry: RetryPolicy;
  /** Who maintains it, if a program does. */
  source: string | null;
  /** The event that applied it. */
  stream_seq: number;
  /** How long they may take. */
  timeouts: Timeouts;
  /** Which version, 1 for the first. */
  version: number;
};

/** A version of a specification. */
export type SpecificationRef = {
  /** Its content. */
  digest: string;
  /** Its name. */
  name: Name;
  /** Which version, 1 for the first. */
  version: number;
};

/** An operation that was started, or was under way. */
export type Started = {
  /** To ask for it with. */
  operation_id: Id;
};

/** One task of a pipeline. */
export type Step = {
  /** Steps that come before; must have finished ok unless `when` says otherwise. */
  after?: Array<string>;
  /** What must hold besides; tasks are named by their steps, resources as `$step.output`. */
  depends_on?: Expression_over_string | null;
  /** For people and selectors. */
  labels?: Record<string, string>;
  /** Higher goes first. */
  priority: number;
  /** Instead of the specification's. */
  retry?: RetryPolicy | null;
  /** Instead of the specification's. */
  timeouts?: Timeouts | null;
  /** The specification. */
  use: Name;
  /** When it runs, by how the steps that it reads from and those in `after` have ended. */
  when?: TriggerRule;
  /** Its inputs: a reference, `{from, map}`, `{value}`, `{secret}`, or a literal. */
  with?: Record<string, unknown>;
};

/** An order to stop all of a context: all that was ordered before it, spawned or not. */
export type Stop = {
  /** When. */
  at: Timestamp;
  /** Who ordered it. */
  by?: string | null;
  /** Why. */
  reason: string;
  /** Where. */
  stream_seq: number;
};

/** An entry, and its position in the audit. */
export type StoredAudit = {
  /** By whom: the name of the key. */
  actor: string;
  /** When it was asked. */
  at: Timestamp;
  /** The error's code; `None` where there is none. */
  code?: number | null;
  /** The address of the client. */
  from?: string | null;
  /** By which key; `None` where none was accepted. */
  key_id?: string | null;
  /** The method. */
  method: string;
  /** Whose, of a method that is about one namespace. */
  namespace?: Namespace | null;
  /** `ok`, or the reason of the error. */
  outcome: string;
  /** Its position. */
  position: number;
  /** What that was good for. */
  role?: Role | null;
  /** Under which the log of the server says more. */
  trace_id: string;
};

/** A seal, and its own position among the seals. */
export type StoredSeal = {
  /** When it was made. */
  at: Timestamp;
  /** Why the chain begins anew with this, of a seal that holds no event. */
  begun?: Begun | null;
  /** The link of that event. */
  chain: Chain;
  /** That event. */
  event_id: Id;
  /** How many events it holds. */
  events: number;
  /** Among the seals. */
  position: number;
  /** When the stream of events was created: another has other events at the same positions. */
  stream_created: Timestamp;
  /** The position of the last event that it holds; 0 for none. */
  stream_seq: number;
};

/** The task that took the place of another, and why. */
export type Successor = {
  /** When. */
  at: Timestamp;
  /** Who ordered it. */
  by: string;
  /** The task. */
  id: Id;
  /** What became of the outputs. */
  outputs: OutputPolicy;
  /** Why. */
  reason: string;
  /** The restart of the context that this was a step of. */
  step_of?: Id | null;
  /** Which version was asked for. */
  version: VersionPolicy;
};

/** A step that was not carried out. */
export type Superseded = {
  /** Why not, for people. */
  reason: string;
  /** The task. */
  task_id: Id;
};

/** What is to run again. */
export type Target = {
  task: Id;
} | {
  from: Id;
} | "failed" | "all";

/** A task as it is since a position. */
export type TaskChanged = {
  /** The position. */
  stream_seq: number;
  /** The task. */
  task: TaskDocument;
};

/** How many tasks are in which state. A task that has ended counts if it is current: nothing took its place, nor that of a task that it descends from. */
export type TaskCounts = {
  /** Stopped. */
  cancelled: number;
  /** Finished badly. */
  failed: number;
  /** Waiting. */
  initialized: number;
  /** Finished well. */
  ok: number;
  /** To be claimed. */
  ready: number;
  /** Running. */
  received: number;
  /** Never to run. */
  skipped: number;
  /** Of these, those that a rule chose not to run, though nobody failed. */
  skipped_by_rule: number;
};

/** A task. `dependencies` is never stored: it depends on other rows and is added by queries. */
export type TaskDocument = {
  /** Who has said yes, by approval, in the order in which they did. */
  approvals?: Record<string, Array<Approval>>;
  /** The attempt that is ready, runs or ran last; 0 before the first. */
  attempt: number;
  /** Who cancelled it. */
  cancelled_by?: string | null;
  /** Of one that was skipped: whether anybody failed, or a rule chose so. */
  cause?: Cause | null;
  /** The order to stop what it had spawned, if there was one. */
  children_cancelled?: ChildrenCancelled | null;
  /** The execution that it belongs to. */
  context_id: Id;
  /** When it was first named. */
  created_at: Timestamp;
  /** Whether no other took its place, nor that of a task that it descends from. Once it has ended, its context counts it only then. */
  current: boolean;
  /** The outputs that it passed to children. */
  delegated?: Record<string, Delegation>;
  /** All that it waits for, with status. */
  dependencies: Array<AwaitedPart>;
  /** What it waits for besides its inputs, as spawned. */
  depends_on?: Expression_over_Id | null;
  /** What went wrong last. */
  error: Failure | null;
  /** The time that was up, if that has ended it and no attempt. */
  expired?: Expired | null;
  /** When it ended. */
  finished_at: Timestamp | null;
  /** The id. */
  id: Id;
  /** What it reads. */
  inputs: Record<string, Binding>;
  /** For people and selectors. */
  labels: Record<string, string>;
  /** Whose it is. */
  namespace: Namespace;
  /** Who claimed the last attempt. */
  node: string | null;
  /** When the next attempt may be claimed. */
  not_before?: Timestamp | null;
  /** Where the order lies that it descends from: the start of its context, or a restart. Orders to stop that lie behind it reach it, wherever it is spawned. */
  origin: number;
  /** Other tasks because of which it would be impossible, too. */
  other_causes?: Array<Id>;
  /** What it writes. */
  outputs: Record<string, Output>;
  /** The task that spawned it. */
  parent_id: Id | null;
  /** Whether it is to wait, by whom and why. */
  paused?: Paused | null;
  /** The `stream_seq` of the last event of its own, announcements aside; 0 while it has none. What commands are decided on. */
  position: number;
  /** Higher goes first. */
  priority: number;
  /** Where executors look for it. */
  queue: string;
  /** When an attempt was announced last. */
  ready_at?: Timestamp | null;
  /** Why it was cancelled, or what cannot arrive any more. */
  reason?: string | null;
  /** The task that this one is a restart of. */
  restart_parent: Id | null;
  /** The task that a chain of restarts began with. */
  restart_root: Id | null;
  /** How that came. */
  restarted?: Successor | null;
  /** The task that is a restart of this one. */
  restarted_as: Id | null;
  /** What the executable said besides its outputs. */
  result: unknown;
  /** How often it is tried. */
  retry: RetryPolicy;
  /** Why it came back from being skipped last. */
  revived?: Revival | null;
  /** The task whose end made it impossible; itself, if its own time was up. */
  root_cause?: Id | null;
  /** Keeps related tasks on one shard. */
  shard_key?: string | null;
  /** Who maintains the specification; added by queries. */
  source: string | null;
  /** What it does. */
  specification: Name;
  /** When the last attempt was claimed. */
  started_at: Timestamp | null;
  /** Where it is in its life. */
  status: TaskStatus;
  /** Its name in the pipeline, or its key under its parent. */
  step: string | null;
  /** The last event that changed it, of its own or not. */
  stream_seq: number;
  /** How it finished. */
  sub_status: Outcome | null;
  /** How long it may take. */
  timeouts: Timeouts;
  /** Whether it has a `TaskSpawned` of its own, or is named by another event only. */
  unfolded: boolean;
  /** When it changed last. */
  updated_at: Timestamp;
  /** Which version of that. */
  version: number;
  /** When it began to wait: when it was spawned, or came back from being skipped. */
  waiting_since: Timestamp;
  /** When it runs, unless all that it reads and depends on has to be there. */
  when?: Trigger | null;
};

/** Where a task is in its life. */
export type TaskStatus = "initialized" | "ready" | "received" | "finished" | "cancelled" | "skipped";

/** A task that was waited for. */
export type TaskWaited = {
  /** Whether it has ended; if not, the wait was over first. */
  done: boolean;
  /** What went wrong last, for people. */
  error: string | null;
  /** The values of the outputs that it resolved itself; large ones as `{"digest", "size"}`. */
  outputs: Record<string, unknown>;
  /** Where it is. */
  status: TaskStatus;
  /** The position that this is as of. */
  stream_seq: number;
  /** How it finished. */
  sub_status: Outcome | null;
  /** The task. */
  task_id: Id;
};

/** A text with places to fill in: `{specification}`, `{context}`, `{queue}`, `{step}`, `{shard_key}`, `{labels.NAME}`. */
export type Template = string;

/** How long things may take. */
export type Timeouts = {
  /** One attempt, from claim to result. When it is up, the attempt fails. */
  attempt?: Millis | null;
  /** From the order to stop (SIGTERM) to the end of all patience (SIGKILL); unless given, `Timeouts::GRACE`. */
  grace?: Millis | null;
  /** From the announcement of an attempt to its claim. When it is up, the task fails. */
  queue?: Millis | null;
  /** All of it, from the time when the task was spawned or revived to its end. When it is up, the task fails, and what runs is stopped. */
  total?: Millis | null;
};

/** RFC 3339, to the microsecond, e.g. `2026-11-24T04:19:50.000001Z`. */
export type Timestamp = string;

/** Whose clock is meant. */
export type Timezone = "UTC";

/** A context with all its tasks. */
export type Tree = {
  /** The position that this is as of. */
  as_of_seq: number;
  /** The context. */
  context: ContextDocument;
  /** Its tasks, at most 50,000, in the order in which they can run. */
  tasks: Array<TreeTask>;
  /** Whether there are more. */
  truncated: boolean;
};

/** A task in a tree. */
export type TreeTask = {
  /** The attempt that is ready, runs or ran last. */
  attempt: number;
  /** What went wrong last. */
  error?: string | null;
  /** When it ended. */
  finished_at: Timestamp | null;
  /** The id. */
  id: Id;
  /** The task that spawned it. */
  parent_id: Id | null;
  /** The task that it took the place of. */
  restart_parent?: Id | null;
  /** The task that took its place. */
  restarted_as?: Id | null;
  /** What it does. */
  specification: Name;
  /** When the last attempt was claimed. */
  started_at: Timestamp | null;
  /** Where it is. */
  status: TaskStatus;
  /** Its name in the pipeline, or its key under its parent. */
  step: string | null;
  /** How it finished. */
  sub_status: Outcome | null;
  /** The tasks that it waits for. */
  waits_for: Array<Id>;
};

/** A rule, and the tasks that it is about. */
export type Trigger = {
  /** The rule. */
  rule?: TriggerRule;
  /** The tasks. */
  upstream: Array<Upstream>;
};

/** When a task runs, by how the tasks before it have ended: `when` of a step. *Failed* means that it finished failed, was cancelled, or was skipped because of such a task, or that what it was to hand over cannot arrive any more. *Skipped* means that a rule chose not to run it, though nobody failed. */
export type TriggerRule = "all_ok" | "all_done" | "any_ok" | "any_failed" | "all_failed" | "none_failed";

/** A type, written as `string`, `{array: string}`, `{struct: {name: string, age: {optional: number}}}`. */
export type Type = 
  | "number"
  | "string"
  | "boolean"
  | {
  struct: Record<string, Type>;
}
  | {
  array: Type;
}
  | {
  map: Type;
}
  | "binary"
  | "duration"
  | "timestamp"
  | {
  ref: Name;
}
  | {
  optional: Type;
}
  | "unknown";

/** A version of a named type. */
export type TypeDocument = {
  /** When it was applied. */
  created_at: Timestamp;
  /** For people. */
  description: string;
  /** Its content. */
  digest: string;
  /** The same for all versions. */
  id: Id;
  /** Its name. */
  name: Name;
  /** Whose it is. */
  namespace: Namespace;
  /** The event that applied it. */
  stream_seq: number;
  /** What it stands for. */
  type: Type;
  /** Which version, 1 for the first. */
  version: number;
};

/** A task before another. */
export type Upstream = {
  /** The inputs that it is to hand over. */
  inputs?: Array<string>;
  /** The task. */
  task: Id;
};

/** The problems of documents. */
export type Validated = {
  /** All there are. */
  problems: Array<DocumentProblem>;
};

/** Which version of its specification a successor has: `same`, `latest`, or the number of one, 1 for the first. */
export type VersionPolicy = "same" | "latest" | number;

/** Why a task is where it is. */
export type Why = {
  /** The position that this is as of. */
  as_of_seq: number;
  /** The smallest set of facts that explains it. */
  facts: Array<WhyFact>;
  /** Who knows. */
  source: WhySource;
  /** Where it is. */
  status: TaskStatus;
  /** In a sentence. */
  summary: string;
  /** The task. */
  task_id: Id;
};

/** One fact that holds a task up, or ended it. */
export type WhyFact = {
  /** Since when, or until when. */
  at?: Timestamp | null;
  /** Of a limit: some of the tasks that hold it. */
  held_by?: Array<Id>;
  /** For programs: `input`, `dependency` (nobody will bring it), `approval`, `time`, `event`, `probe`, `paused`, `limit`, `running`, `ready`, `busy`, `no_executor`, `backoff`, `due`, `no_scheduler`, `no_unfolder`, `failed`, `cancelled`, `skipped`; `more` for those that are only counted. */
  kind: string;
  /** For people, with what to do where something can be done. */
  message: string;
  /** The resource that it is about. */
  resource_id?: Id | null;
  /** The task that it is about. */
  task_id?: Id | null;
};

/** Who says why. */
export type WhySource = "scheduler" | "read_model";

/** A window of time that opens again and again: from each start of `cron` for `duration`. */
export type Window = {
  /** When it opens. */
  cron: Cron;
  /** For how long. */
  duration: Millis;
  /** Whose clock `cron` means. */
  timezone: Timezone;
};

/** A window of time that opens again and again: from each start of `cron` for `duration`. */
export type WindowInput = {
  /** When it opens. */
  cron: Cron;
  /** For how long. */
  duration: Millis;
  /** Whose clock `cron` means. */
  timezone?: Timezone;
};

/** Every method that answers once: what it takes, and what it answers. */
export interface Methods {
  /** All attempts of a task, of those that it took the place of and of those that took its. */
  "task.attempts": {
    params: {
      /** The id, or its beginning. */
      id: string;
      /** The answer is as of this position or later. */
      min_seq?: number | null;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
      /** How long to wait for that. */
      timeout?: Millis | null;
    };
    answer: Attempts;
  };
  /** Does the same to all records that a filter is about, or says which these are. An operation. */
  "operation.start": {
    params: {
      /** What is done to each: `{"cancel": {"reason": "…"}}`, `{"restart": {}}`, `{"label": {"set": {"team": "a"}}}`, `{"release": {}}`. */
      action: BulkActionInput;
      /** Says how many records these are and shows some, and does nothing. */
      dry_run?: boolean;
      /** How many records these were in a preview: it is refused if they are more or fewer by now. */
      expect_count?: number | null;
      /** What they must be. A filter that every record passes is refused. */
      filter?: Record<string, unknown>;
      /** The same key in the same namespace is the same operation: it is started once. */
      idempotency_key?: string | null;
      /** Records of which kind; tasks unless given. */
      kind?: BulkKind;
      /** Records are looked for as of this position or later. */
      min_seq?: number | null;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
      /** How long to wait for that. */
      timeout?: Millis | null;
      /** What they must be besides, as a text: `status == "finished" && attempt > 1`. */
      where?: string | null;
    };
    answer: OperationStarted;
  };
  /** The operations over many records, the latest first. */
  "operation.list": {
    params: {
      /** In all namespaces, instead. */
      all_namespaces?: boolean;
      /** `next_cursor` of the page before. */
      cursor?: string | null;
      /** How many at most, 1 to 1,000; 100 unless given. */
      limit?: number | null;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
    };
    answer: OperationPage;
  };
  /** Stops an operation over many records. What it has done stays done. */
  "operation.cancel": {
    params: {
      /** Which. */
      id: Id;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
    };
    answer: Operation;
  };
  /** Orders a task to stop, and all that it spawned. */
  "task.cancel": {
    params: {
      /** Of a task: also the tasks that wait for it, near or far; they are skipped otherwise. A context always stops as a whole. */
      cascade?: boolean;
      /** The id, or its beginning. */
      id: string;
      /** The same key for the same task or context is the same command: it takes effect once. */
      idempotency_key?: string | null;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
      /** Why, for people. */
      reason?: string;
    };
    answer: Cancelled;
  };
  /** Orders all tasks of a context to stop, those not spawned yet included. */
  "context.cancel": {
    params: {
      /** Of a task: also the tasks that wait for it, near or far; they are skipped otherwise. A context always stops as a whole. */
      cascade?: boolean;
      /** The id, or its beginning. */
      id: string;
      /** The same key for the same task or context is the same command: it takes effect once. */
      idempotency_key?: string | null;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
      /** Why, for people. */
      reason?: string;
    };
    answer: Cancelled;
  };
  /** One context. */
  "context.get": {
    params: {
      /** The same by time: the last position at or before it. An RFC 3339 time such as `2026-01-02T03:04:05Z`, or how long ago, such as `90s`, `10m`, `2h` or `1d`. */
      at?: string | null;
      /** As it was at this position of the stream, from 1; as it is now unless given. */
      at_seq?: number | null;
      /** The id, or its beginning. */
      id: string;
      /** The answer is as of this position or later. */
      min_seq?: number | null;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
      /** How long to wait for that. */
      timeout?: Millis | null;
    };
    answer: ContextDocument;
  };
  /** Contexts, page by page. */
  "context.list": {
    params: {
      /** In all namespaces, instead. */
      all_namespaces?: boolean;
      /** `next_cursor` of the page before. */
      cursor?: string | null;
      /** Only these fields of each, written like `status` or `labels.team`; all unless given. Not for the typed client, which knows whole documents only. */
      fields?: Array<string> | null;
      /** What they must be. */
      filter?: Record<string, unknown>;
      /** How many at most, 1 to 1,000; 100 unless given. Large records make a page shorter. */
      limit?: number | null;
      /** The answer is as of this position or later. */
      min_seq?: number | null;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
      /** How many are passed over before the first page, up to 10,000. */
      skip?: number | null;
      /** A field with a type, such as `updated_at`, `created_at` or `status`; with `-` the last first. `-updated_at`, the last changed first, unless given. */
      sort?: string | null;
      /** How long to wait for that. */
      timeout?: Millis | null;
      /** What they must be besides, as a text: `status == "finished" && attempt > 1`. */
      where?: string | null;
    };
    answer: 
      | PageOfContextDocument
      | {
      as_of_seq: number;
      items: Array<Record<string, unknown>>;
      next_cursor: string | null;
    };
  };
  /** Waits for the end of all tasks of a context. */
  "context.wait": {
    params: {
      /** The id, or its beginning. */
      id: string;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
      /** How long; then the answer comes with `done: false`. */
      timeout?: Millis | null;
    };
    answer: ContextWaited;
  };
  /** How many tasks there are, by status, and by a field. */
  "task.count": {
    params: {
      /** In all namespaces, instead. */
      all_namespaces?: boolean;
      /** Also for each value of this field, written like `specification` or `labels.team`. */
      by?: string | null;
      /** What they must be. */
      filter?: Record<string, unknown>;
      /** For how many values of `by` at most, 1 to 1,000; 100 unless given. */
      limit?: number | null;
      /** The answer is as of this position or later. */
      min_seq?: number | null;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
      /** How long to wait for that. */
      timeout?: Millis | null;
      /** What they must be besides, as a text: `status == "finished" && attempt > 1`. */
      where?: string | null;
    };
    answer: Counts;
  };
  /** Which values a field of tasks has. */
  "task.distinct": {
    params: {
      /** In all namespaces, instead. */
      all_namespaces?: boolean;
      /** Of which field, written like `specification` or `labels.team`. */
      field: string;
      /** What the records must be. */
      filter?: Record<string, unknown>;
      /** How many at most, 1 to 1,000; 100 unless given. */
      limit?: number | null;
      /** The answer is as of this position or later. */
      min_seq?: number | null;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
      /** How long to wait for that. */
      timeout?: Millis | null;
      /** What they must be besides, as a text: `status == "finished" && attempt > 1`. */
      where?: string | null;
    };
    answer: Distinct;
  };
  /** How many contexts there are, by status, and by a field. */
  "context.count": {
    params: {
      /** In all namespaces, instead. */
      all_namespaces?: boolean;
      /** Also for each value of this field, written like `specification` or `labels.team`. */
      by?: string | null;
      /** What they must be. */
      filter?: Record<string, unknown>;
      /** For how many values of `by` at most, 1 to 1,000; 100 unless given. */
      limit?: number | null;
      /** The answer is as of this position or later. */
      min_seq?: number | null;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
      /** How long to wait for that. */
      timeout?: Millis | null;
      /** What they must be besides, as a text: `status == "finished" && attempt > 1`. */
      where?: string | null;
    };
    answer: Counts;
  };
  /** Which values a field of contexts has. */
  "context.distinct": {
    params: {
      /** In all namespaces, instead. */
      all_namespaces?: boolean;
      /** Of which field, written like `specification` or `labels.team`. */
      field: string;
      /** What the records must be. */
      filter?: Record<string, unknown>;
      /** How many at most, 1 to 1,000; 100 unless given. */
      limit?: number | null;
      /** The answer is as of this position or later. */
      min_seq?: number | null;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
      /** How long to wait for that. */
      timeout?: Millis | null;
      /** What they must be besides, as a text: `status == "finished" && attempt > 1`. */
      where?: string | null;
    };
    answer: Distinct;
  };
  /** How many resources there are, by status, and by a field. */
  "resource.count": {
    params: {
      /** In all namespaces, instead. */
      all_namespaces?: boolean;
      /** Also for each value of this field, written like `specification` or `labels.team`. */
      by?: string | null;
      /** What they must be. */
      filter?: Record<string, unknown>;
      /** For how many values of `by` at most, 1 to 1,000; 100 unless given. */
      limit?: number | null;
      /** The answer is as of this position or later. */
      min_seq?: number | null;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
      /** How long to wait for that. */
      timeout?: Millis | null;
      /** What they must be besides, as a text: `status == "finished" && attempt > 1`. */
      where?: string | null;
    };
    answer: Counts;
  };
  /** Which values a field of resources has. */
  "resource.distinct": {
    params: {
      /** In all namespaces, instead. */
      all_namespaces?: boolean;
      /** Of which field, written like `specification` or `labels.team`. */
      field: string;
      /** What the records must be. */
      filter?: Record<string, unknown>;
      /** How many at most, 1 to 1,000; 100 unless given. */
      limit?: number | null;
      /** The answer is as of this position or later. */
      min_seq?: number | null;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
      /** How long to wait for that. */
      timeout?: Millis | null;
      /** What they must be besides, as a text: `status == "finished" && attempt > 1`. */
      where?: string | null;
    };
    answer: Distinct;
  };
  /** Dead letters, oldest first, page by page. */
  "dead_letter.list": {
    params: {
      /** Only those of higher numbers. */
      after?: number;
      /** How many, 1 to 1,000; 100 unless given. */
      limit?: number | null;
    };
    answer: DeadLetters;
  };
  /** One of them, with the message that nobody could read. */
  "dead_letter.get": {
    params: {
      /** Its number. */
      letter: number;
    };
    answer: DeadLetter;
  };
  /** Asks the consumer that could not digest one to take its event in again. */
  "dead_letter.redeliver": {
    params: {
      /** Its number. */
      letter: number;
    };
    answer: Redelivery;
  };
  /** A version of a specification. */
  "specification.get": {
    params: {
      /** The answer is as of this position or later. */
      min_seq?: number | null;
      /** The name. */
      name: Name;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
      /** How long to wait for that. */
      timeout?: Millis | null;
      /** Which version; the latest unless given. */
      version?: number | null;
    };
    answer: SpecificationDocument;
  };
  /** The latest versions of all specifications, by name. */
  "specification.list": {
    params: {
      /** `next_cursor` of the page before. */
      cursor?: string | null;
      /** What they must be. */
      filter?: Record<string, unknown>;
      /** How many, 1 to 1,000; 100 unless given. */
      limit?: number | null;
      /** The answer is as of this position or later. */
      min_seq?: number | null;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
      /** How long to wait for that. */
      timeout?: Millis | null;
      /** What they must be besides, as a text: `executable.type == "http"`. */
      where?: string | null;
    };
    answer: PageOfSpecificationDocument;
  };
  /** A version of a type. */
  "type.get": {
    params: {
      /** The answer is as of this position or later. */
      min_seq?: number | null;
      /** The name. */
      name: Name;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
      /** How long to wait for that. */
      timeout?: Millis | null;
      /** Which version; the latest unless given. */
      version?: number | null;
    };
    answer: TypeDocument;
  };
  /** The latest versions of all types, by name. */
  "type.list": {
    params: {
      /** `next_cursor` of the page before. */
      cursor?: string | null;
      /** What they must be. */
      filter?: Record<string, unknown>;
      /** How many, 1 to 1,000; 100 unless given. */
      limit?: number | null;
      /** The answer is as of this position or later. */
      min_seq?: number | null;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
      /** How long to wait for that. */
      timeout?: Millis | null;
      /** What they must be besides, as a text: `executable.type == "http"`. */
      where?: string | null;
    };
    answer: PageOfTypeDocument;
  };
  /** A version of a pipeline. */
  "pipeline.get": {
    params: {
      /** The answer is as of this position or later. */
      min_seq?: number | null;
      /** The name. */
      name: Name;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
      /** How long to wait for that. */
      timeout?: Millis | null;
      /** Which version; the latest unless given. */
      version?: number | null;
    };
    answer: PipelineDocument;
  };
  /** The latest versions of all pipelines, by name. */
  "pipeline.list": {
    params: {
      /** `next_cursor` of the page before. */
      cursor?: string | null;
      /** What they must be. */
      filter?: Record<string, unknown>;
      /** How many, 1 to 1,000; 100 unless given. */
      limit?: number | null;
      /** The answer is as of this position or later. */
      min_seq?: number | null;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
      /** How long to wait for that. */
      timeout?: Millis | null;
      /** What they must be besides, as a text: `executable.type == "http"`. */
      where?: string | null;
    };
    answer: PageOfPipelineDocument;
  };
  /** Starts a pipeline. */
  "pipeline.run": {
    params: {
      /** The same key in the same namespace is the same run, however often it is sent. */
      idempotency_key?: string | null;
      /** For people and selectors. */
      labels?: Record<string, string>;
      /** Which; its latest version. */
      name: Name;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
      /** With which parameters. */
      params?: Record<string, unknown>;
    };
    answer: Run;
  };
  /** What this API is: the `OpenRPC` document of all its methods. */
  "rpc.discover": {
    params: Record<string, never>;
    answer: unknown;
  };
  /** Events in the order of the stream, page by page. */
  "event.list": {
    params: {
      /** Only those at higher positions. */
      after_seq?: number | null;
      /** Of which context. */
      context_id?: Id | null;
      /** `next_cursor` of the page before. */
      cursor?: string | null;
      /** What they must be, by where they lie and what they are about, not by what they say. */
      filter?: Record<string, unknown>;
      /** Of which aggregate. */
      id?: Id | null;
      /** How many, 1 to 1,000; 100 unless given. */
      limit?: number | null;
      /** The answer is as of this position or later. */
      min_seq?: number | null;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
      /** How long to wait for that. */
      timeout?: Millis | null;
      /** Of which type, e.g. `TaskFinished`. */
      type?: string | null;
      /** What they must be besides, as a text: `actor == "ann" && at > now - duration("1h")`. */
      where?: string | null;
    };
    answer: PageOfRecorded;
  };
  /** A stretch of the stream as it is stored, for keeping. */
  "event.export": {
    params: {
      /** Of all namespaces, instead: what can be imported, and compared with seals. */
      all_namespaces?: boolean;
      /** Only this context. */
      context_id?: Id | null;
      /** The first position, 1 for all. */
      from_seq?: number;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
      /** The last position; what is the last one now unless given. */
      to_seq?: number | null;
    };
    answer: Exported;
  };
  /** Puts events back at their own positions, in a stream that is empty or holds what is before them. */
  "event.import": {
    params: {
      /** The position of the line before them; 0 before the first. */
      after_seq?: number;
      /** Lines of an export, as they stand there. */
      lines: Array<string>;
    };
    answer: Imported;
  };
  /** A large value, which an event names by its digest. */
  "blob.load": {
    params: {
      /** `sha256:<hex>` of the bytes. */
      digest: string;
      /** Length in bytes. */
      size: number;
    };
    answer: Blob;
  };
  /** Stores a large value that events will name. */
  "blob.store": {
    params: {
      /** Its JSON, to the letter. */
      content: string;
    };
    answer: BlobRef;
  };
  /** Compares every large value that events name with its digest. An operation. */
  "blob.verify": {
    params: Record<string, never>;
    answer: Started;
  };
  /** A context as a drawing: its tasks with places, and what joins them. */
  "context.graph": {
    params: {
      /** The same by time: the last position at or before it. An RFC 3339 time such as `2026-01-02T03:04:05Z`, or how long ago, such as `90s`, `10m`, `2h` or `1d`. */
      at?: string | null;
      /** As it was at this position of the stream, from 1; as it is now unless given. */
      at_seq?: number | null;
      /** What joins two tasks; whatever does unless given. */
      by?: GraphBy | null;
      /** The id of the context, or of one of its tasks; or its beginning. */
      id: string;
      /** The answer is as of this position or later. */
      min_seq?: number | null;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
      /** How long to wait for that. */
      timeout?: Millis | null;
    };
    answer: Drawing;
  };
  /** Makes a key. Its secret is told in the answer and never again. */
  "key.create": {
    params: {
      /** How many calls a second it may make; 1,000 unless given. */
      calls_per_second?: number | null;
      /** How long it holds, e.g. `720h`; until it is revoked unless given. */
      expires_in?: Millis | null;
      /** For people: whose it is, or what for. It is the actor in events. */
      name: string;
      /** The namespaces in which it holds; all, and what belongs to none, unless given. */
      namespaces?: Array<Namespace> | null;
      /** What it is good for. */
      role: Role;
    };
    answer: KeyCreated;
  };
  /** All keys, without their secrets, which nobody has. */
  "key.list": {
    params: Record<string, never>;
    answer: KeyPage;
  };
  /** Revokes a key: within five seconds nobody is let in by it, and who came in by it is out. */
  "key.revoke": {
    params: {
      /** Its id. */
      id: string;
    };
    answer: KeyRevoked;
  };
  /** Who asked for what, from where, and what came of it: every command, and every refusal for want of a right, in order. */
  "audit.list": {
    params: {
      /** Only those at higher positions in the audit. */
      after?: number;
      /** How many, 1 to 1,000; 100 unless given. */
      limit?: number | null;
    };
    answer: AuditPage;
  };
  /** Puts labels on a task, or takes some off, be it live or not. Rules, such as limits, go by the labels that it was spawned with. */
  "task.label": {
    params: {
      /** The task, or the beginning of its id. */
      id: string;
      /** The same key for the same task is the same command: it takes effect once. */
      idempotency_key?: string | null;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
      /** Whether one that it has with another value may be replaced. */
      overwrite?: boolean;
      /** The names of those to take off; one that it does not have changes nothing. */
      remove?: Array<string>;
      /** Those to put on it, by name. */
      set?: Record<string, string>;
    };
    answer: Labelled;
  };
  /** Makes everything that the documents declare so; nothing when one of them has a problem. */
  "manifest.apply": {
    params: {
      /** At most 20,000. */
      documents: Array<unknown>;
      /** Says what would happen, and does nothing. */
      dry_run?: boolean;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
    };
    answer: Applied;
  };
  /** The problems of documents, as `manifest.apply` would find them. */
  "manifest.validate": {
    params: {
      /** At most 20,000. */
      documents: Array<unknown>;
      /** Says what would happen, and does nothing. */
      dry_run?: boolean;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
    };
    answer: Validated;
  };
  /** What `manifest.apply` would change, field by field. Nothing is changed. */
  "manifest.diff": {
    params: {
      /** At most 20,000. */
      documents: Array<unknown>;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
    };
    answer: Differences;
  };
  /** Takes back what manifests declared: policies, and secrets by name. Nothing when one of those that are named cannot be deleted. */
  "manifest.delete": {
    params: {
      /** Manifests, of which kind and name count. At most 1,000, names included. */
      documents?: Array<unknown>;
      /** Says what would happen, and does nothing. */
      dry_run?: boolean;
      /** The same as `KIND/NAME`: `policy/gentle`, `secret/db-password`. */
      names?: Array<string>;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
    };
    answer: Deletions;
  };
  /** The read models, and how far they have got. */
  "projection.list": {
    params: Record<string, never>;
    answer: Projections;
  };
  /** Makes the tables anew beside the live ones and swaps them. An operation. */
  "projection.rebuild": {
    params: Record<string, never>;
    answer: Started;
  };
  /** Makes the tables anew and compares the live ones with them. An operation. */
  "projection.verify": {
    params: Record<string, never>;
    answer: Started;
  };
  /** How far an operation has got. */
  "operation.get": {
    params: {
      /** Which. */
      id: Id;
      /** Whose, of one over many records; `default` unless given. Those that look after all of the system are for keys of all namespaces. */
      namespace?: Namespace | null;
    };
    answer: Operation;
  };
  /** Lets a task wait: no further attempt of it starts. */
  "task.pause": {
    params: {
      /** The id, or its beginning. */
      id: string;
      /** The same key for the same task or context is the same command: it takes effect once. */
      idempotency_key?: string | null;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
      /** Why, for people. */
      reason?: string;
    };
    answer: Accepted;
  };
  /** Lets it go on. */
  "task.resume": {
    params: {
      /** The id, or its beginning. */
      id: string;
      /** The same key for the same task or context is the same command: it takes effect once. */
      idempotency_key?: string | null;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
    };
    answer: Accepted;
  };
  /** Says yes to an approval that a task waits for. */
  "task.approve": {
    params: {
      /** Who gives it; whoever calls unless given. */
      by?: string | null;
      /** The task, or the beginning of its id. */
      id: string;
      /** The same key for the same task is the same command: it takes effect once. */
      idempotency_key?: string | null;
      /** Which approval. */
      name: string;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
    };
    answer: Approved;
  };
  /** Lets all of a context wait. What runs already goes on. */
  "context.pause": {
    params: {
      /** The id, or its beginning. */
      id: string;
      /** The same key for the same task or context is the same command: it takes effect once. */
      idempotency_key?: string | null;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
      /** Why, for people. */
      reason?: string;
    };
    answer: Accepted;
  };
  /** Lets it go on. */
  "context.resume": {
    params: {
      /** The id, or its beginning. */
      id: string;
      /** The same key for the same task or context is the same command: it takes effect once. */
      idempotency_key?: string | null;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
    };
    answer: Accepted;
  };
  /** Lets all tasks of a specification wait. What runs already goes on. */
  "specification.pause": {
    params: {
      /** The same key for the same specification is the same command: it takes effect once. */
      idempotency_key?: string | null;
      /** The name. */
      name: Name;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
      /** Why, for people. */
      reason?: string;
    };
    answer: Accepted;
  };
  /** Lets them go on. */
  "specification.resume": {
    params: {
      /** The same key for the same specification is the same command: it takes effect once. */
      idempotency_key?: string | null;
      /** The name. */
      name: Name;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
    };
    answer: Accepted;
  };
  /** Lets all tasks of a namespace wait. What runs already goes on. */
  "namespace.pause": {
    params: {
      /** The same key for the same namespace is the same command: it takes effect once. */
      idempotency_key?: string | null;
      /** Which; `default` unless given. */
      namespace?: Namespace | null;
      /** Why, for people. */
      reason?: string;
    };
    answer: Accepted;
  };
  /** Lets them go on. */
  "namespace.resume": {
    params: {
      /** The same key for the same namespace is the same command: it takes effect once. */
      idempotency_key?: string | null;
      /** Which; `default` unless given. */
      namespace?: Namespace | null;
    };
    answer: Accepted;
  };
  /** A namespace. */
  "namespace.get": {
    params: {
      /** Which; `default` unless given. */
      namespace?: Namespace | null;
    };
    answer: NamespaceDocument;
  };
  /** A policy as it holds. */
  "policy.get": {
    params: {
      /** The answer is as of this position or later. */
      min_seq?: number | null;
      /** The name. */
      name: Name;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
      /** How long to wait for that. */
      timeout?: Millis | null;
    };
    answer: PolicyDocument;
  };
  /** The policies that hold, by name. */
  "policy.list": {
    params: {
      /** `next_cursor` of the page before. */
      cursor?: string | null;
      /** What they must be. */
      filter?: Record<string, unknown>;
      /** How many, 1 to 1,000; 100 unless given. */
      limit?: number | null;
      /** The answer is as of this position or later. */
      min_seq?: number | null;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
      /** How long to wait for that. */
      timeout?: Millis | null;
      /** What they must be besides, as a text: `executable.type == "http"`. */
      where?: string | null;
    };
    answer: PageOfPolicyDocument;
  };
  /** Lets a policy hold no longer. */
  "policy.delete": {
    params: {
      /** The same key for the same policy is the same command: it takes effect once. */
      idempotency_key?: string | null;
      /** The name. */
      name: Name;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
    };
    answer: Accepted;
  };
  /** Creates resources that belong to no task. */
  "resource.allocate": {
    params: {
      /** How many, 1 to 10,000. */
      count: number;
      /** The same key in the same namespace gives the same resources; with a higher `count`, more. */
      idempotency_key?: string | null;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
      /** What their values must be; anything unless given. */
      type?: Type;
    };
    answer: Allocated;
  };
  /** Gives such resources their values, each once. */
  "resource.initialize": {
    params: {
      /** The same key for the same resource is the same command: it takes effect once. */
      idempotency_key?: string | null;
      /** At most 10,000. */
      items: Array<InitializeItem>;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
    };
    answer: Initialized;
  };
  /** One resource; a large value as digest and size. */
  "resource.get": {
    params: {
      /** The same by time: the last position at or before it. An RFC 3339 time such as `2026-01-02T03:04:05Z`, or how long ago, such as `90s`, `10m`, `2h` or `1d`. */
      at?: string | null;
      /** As it was at this position of the stream, from 1; as it is now unless given. */
      at_seq?: number | null;
      /** The id, or its beginning. */
      id: string;
      /** The answer is as of this position or later. */
      min_seq?: number | null;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
      /** How long to wait for that. */
      timeout?: Millis | null;
    };
    answer: ResourceDocument;
  };
  /** The value of a resource, however large. */
  "resource.load": {
    params: {
      /** The id, or its beginning. */
      id: string;
      /** The answer is as of this position or later. */
      min_seq?: number | null;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
      /** How long to wait for that. */
      timeout?: Millis | null;
    };
    answer: LoadedValue;
  };
  /** Resources, page by page. */
  "resource.list": {
    params: {
      /** In all namespaces, instead. */
      all_namespaces?: boolean;
      /** `next_cursor` of the page before. */
      cursor?: string | null;
      /** Only these fields of each, written like `status` or `labels.team`; all unless given. Not for the typed client, which knows whole documents only. */
      fields?: Array<string> | null;
      /** What they must be. */
      filter?: Record<string, unknown>;
      /** How many at most, 1 to 1,000; 100 unless given. Large records make a page shorter. */
      limit?: number | null;
      /** The answer is as of this position or later. */
      min_seq?: number | null;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
      /** How many are passed over before the first page, up to 10,000. */
      skip?: number | null;
      /** A field with a type, such as `updated_at`, `created_at` or `status`; with `-` the last first. `-updated_at`, the last changed first, unless given. */
      sort?: string | null;
      /** How long to wait for that. */
      timeout?: Millis | null;
      /** What they must be besides, as a text: `status == "finished" && attempt > 1`. */
      where?: string | null;
    };
    answer: 
      | PageOfResourceDocument
      | {
      as_of_seq: number;
      items: Array<Record<string, unknown>>;
      next_cursor: string | null;
    };
  };
  /** Lets go of resources that belong to no task. */
  "resource.release": {
    params: {
      /** The same key for the same resource is the same command: it takes effect once. */
      idempotency_key?: string | null;
      /** At most 10,000. */
      ids: Array<Id>;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
    };
    answer: Initialized;
  };
  /** Puts another task in the place of one that has ended, or says what that would come to. */
  "task.restart": {
    params: {
      /** Says what would happen, and does nothing. */
      dry_run?: boolean;
      /** Also what comes after it. */
      from?: boolean;
      /** The id, or its beginning. */
      id: string;
      /** The same key for the same task is the same command: it takes effect once. */
      idempotency_key?: string | null;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
      /** What becomes of its outputs; `reuse` unless given. */
      outputs?: OutputPolicy | null;
      /** The `plan` of a preview: just that is done, and what was overtaken since is named. It says what was asked for; what is given besides must be the same. */
      plan?: Plan | null;
      /** Why, for people. */
      reason?: string;
      /** Which version of its specification runs: `same`, `latest` or a number; `same` unless given. */
      version?: VersionPolicy | null;
    };
    answer: Restarted;
  };
  /** Runs some of a context again, or says what that would come to. */
  "context.restart": {
    params: {
      /** Says what would happen, and does nothing. */
      dry_run?: boolean;
      /** The id, or its beginning. */
      id: string;
      /** The same key for the same context is the same command: it takes effect once. */
      idempotency_key?: string | null;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
      /** What becomes of outputs; `reuse` unless given. */
      outputs?: OutputPolicy | null;
      /** The `plan` of a preview: just that is done, and what was overtaken since is named. It says what was asked for; what is given besides must be the same. */
      plan?: Plan | null;
      /** Why, for people. */
      reason?: string;
      /** What of it: `"failed"`, `"all"` or `{"from": "step"}`; what has failed unless given. */
      target?: ContextTarget | null;
      /** Which versions of specifications run: `same`, `latest` or a number; `same` unless given. */
      version?: VersionPolicy | null;
    };
    answer: Restarted;
  };
  /** What is wrong with a script as it stands: it is compiled and not run. */
  "script.check": {
    params: {
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
      /** The source, in Rhai. */
      script: string;
    };
    answer: ScriptChecked;
  };
  /** Runs a script as a task would, under the same limits, and tells its value or why there is none. Nothing is recorded. */
  "script.run": {
    params: {
      /** Its variables. On an edge these are `value`, the input and the output by their names; in a specification the inputs. */
      input?: Record<string, unknown>;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
      /** The source, in Rhai. */
      script: string;
    };
    answer: ScriptRan;
  };
  /** The seals, in order, page by page. */
  "seal.list": {
    params: {
      /** Only those at higher positions among the seals. */
      after?: number;
    };
    answer: Seals;
  };
  /** Begins the chain anew, as the stream is not the one any more that was sealed. Whoever seals goes on from there. */
  "seal.restart": {
    params: {
      /** For whoever reads the seals later. */
      reason: string;
    };
    answer: StoredSeal;
  };
  /** Sets a secret, in place of the one of that name if there is one. Attempts that begin from now on get the new value. */
  "secret.set": {
    params: {
      /** Only in place of this revision; 0: only if there is none. */
      if_revision?: number | null;
      /** What it is called. */
      name: SecretName;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
      /** What it is: a text of 8 characters to 65,536 bytes. */
      value: SecretValue;
    };
    answer: Secret;
  };
  /** What may be known of a secret, which is not its value. */
  "secret.get": {
    params: {
      /** What it is called. */
      name: SecretName;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
    };
    answer: Secret;
  };
  /** All secrets of a namespace, by name, without their values. */
  "secret.list": {
    params: {
      /** `default` unless given. */
      namespace?: Namespace | null;
    };
    answer: SecretPage;
  };
  /** Forgets a secret: attempts that begin from now on and need it fail. */
  "secret.delete": {
    params: {
      /** What it is called. */
      name: SecretName;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
    };
    answer: Secret;
  };
  /** The services that are present. */
  "service.list": {
    params: Record<string, never>;
    answer: Services;
  };
  /** What this is, and how far it has got. */
  "system.info": {
    params: Record<string, never>;
    answer: Info;
  };
  /** Creates a task. */
  "task.spawn": {
    params: {
      /** The context that it joins; a new one unless given. */
      context_id?: Id | null;
      /** What it waits for besides its inputs. */
      depends_on?: Expression_over_IdInput | null;
      /** The same key in the same namespace, and in the same context where one is given, is the same task, however often it is sent. */
      idempotency_key?: string | null;
      /** What it reads. */
      inputs?: Record<string, Input>;
      /** For people and selectors. */
      labels?: Record<string, string>;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
      /** Higher goes first. */
      priority?: number | null;
      /** Instead of the specification's. */
      retry?: RetryPolicyInput | null;
      /** Keeps related tasks on one shard. */
      shard_key?: string | null;
      /** What it does; its latest version. */
      specification: Name;
      /** Instead of the specification's. */
      timeouts?: Timeouts | null;
    };
    answer: Spawned;
  };
  /** Creates many tasks; each has its own result. */
  "task.spawn_batch": {
    params: {
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
      /** The tasks; their own `namespace` goes before the batch's. */
      tasks: Array<SpawnParams>;
    };
    answer: SpawnedBatch;
  };
  /** One task. */
  "task.get": {
    params: {
      /** The same by time: the last position at or before it. An RFC 3339 time such as `2026-01-02T03:04:05Z`, or how long ago, such as `90s`, `10m`, `2h` or `1d`. */
      at?: string | null;
      /** As it was at this position of the stream, from 1; as it is now unless given. */
      at_seq?: number | null;
      /** The id, or its beginning. */
      id: string;
      /** The answer is as of this position or later. */
      min_seq?: number | null;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
      /** How long to wait for that. */
      timeout?: Millis | null;
    };
    answer: TaskDocument;
  };
  /** Tasks, page by page. */
  "task.list": {
    params: {
      /** In all namespaces, instead. */
      all_namespaces?: boolean;
      /** `next_cursor` of the page before. */
      cursor?: string | null;
      /** Only these fields of each, written like `status` or `labels.team`; all unless given. Not for the typed client, which knows whole documents only. */
      fields?: Array<string> | null;
      /** What they must be. */
      filter?: Record<string, unknown>;
      /** How many at most, 1 to 1,000; 100 unless given. Large records make a page shorter. */
      limit?: number | null;
      /** The answer is as of this position or later. */
      min_seq?: number | null;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
      /** How many are passed over before the first page, up to 10,000. */
      skip?: number | null;
      /** A field with a type, such as `updated_at`, `created_at` or `status`; with `-` the last first. `-updated_at`, the last changed first, unless given. */
      sort?: string | null;
      /** How long to wait for that. */
      timeout?: Millis | null;
      /** What they must be besides, as a text: `status == "finished" && attempt > 1`. */
      where?: string | null;
    };
    answer: 
      | PageOfTaskDocument
      | {
      as_of_seq: number;
      items: Array<Record<string, unknown>>;
      next_cursor: string | null;
    };
  };
  /** Waits for the end of a task. */
  "task.wait": {
    params: {
      /** The id, or its beginning. */
      id: string;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
      /** How long; then the answer comes with `done: false`. */
      timeout?: Millis | null;
    };
    answer: TaskWaited;
  };
  /** All tasks of the context of a task, or of a context. */
  "task.tree": {
    params: {
      /** The same by time: the last position at or before it. An RFC 3339 time such as `2026-01-02T03:04:05Z`, or how long ago, such as `90s`, `10m`, `2h` or `1d`. */
      at?: string | null;
      /** As it was at this position of the stream, from 1; as it is now unless given. */
      at_seq?: number | null;
      /** The id, or its beginning. */
      id: string;
      /** The answer is as of this position or later. */
      min_seq?: number | null;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
      /** How long to wait for that. */
      timeout?: Millis | null;
    };
    answer: Tree;
  };
  /** What a task wrote. */
  "task.logs": {
    params: {
      /** `next_after` of the page before. */
      after?: number | null;
      /** Of one attempt; of all unless given. */
      attempt?: number | null;
      /** The task, or the beginning of its id. */
      id: string;
      /** How many lines, 1 to 10,000; 1,000 unless given. */
      limit?: number | null;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
    };
    answer: LogPage;
  };
  /** Why a task is where it is. */
  "task.why": {
    params: {
      /** The id, or its beginning. */
      id: string;
      /** The answer is as of this position or later. */
      min_seq?: number | null;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
      /** How long to wait for that. */
      timeout?: Millis | null;
    };
    answer: Why;
  };
}

/** Every method that answers until it is told to stop. */
export interface Subscriptions {
  /** Contexts as they change: first those that match now, then each change. */
  "context.subscribe": {
    params: {
      /** What they must be; all of the namespace when empty. */
      filter?: Record<string, unknown>;
      /** Only changes at higher positions, without those that match now. */
      from_seq?: number | null;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
      /** How long to wait for `from_seq`. */
      timeout?: Millis | null;
      /** What they must be besides, as a text: `status == "finished" && attempt > 1`. */
      where?: string | null;
    };
    item: ContextChanged;
  };
  /** Events as they are stored. */
  "event.subscribe": {
    params: {
      /** Of which context. */
      context_id?: Id | null;
      /** From this position on; from now on unless given. */
      from_seq?: number | null;
      /** Of which aggregate. */
      id?: Id | null;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
      /** Of which type. */
      type?: string | null;
    };
    item: Recorded;
  };
  /** Tasks as they change: first those that match now, then each change. */
  "task.subscribe": {
    params: {
      /** What they must be; all of the namespace when empty. */
      filter?: Record<string, unknown>;
      /** Only changes at higher positions, without those that match now. */
      from_seq?: number | null;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
      /** How long to wait for `from_seq`. */
      timeout?: Millis | null;
      /** What they must be besides, as a text: `status == "finished" && attempt > 1`. */
      where?: string | null;
    };
    item: TaskChanged;
  };
  /** What a task writes, from its first line on. */
  "task.follow_logs": {
    params: {
      /** `next_after` of the page before. */
      after?: number | null;
      /** Of one attempt; of all unless given. */
      attempt?: number | null;
      /** The task, or the beginning of its id. */
      id: string;
      /** How many lines, 1 to 10,000; 1,000 unless given. */
      limit?: number | null;
      /** Whose; `default` unless given. */
      namespace?: Namespace | null;
    };
    item: LogEntry;
  };
}

/** Methods that are about no namespace, or about one for each of their parts. */
export const WITHOUT_NAMESPACE: ReadonlySet<string> = new Set([
  "dead_letter.list",
  "dead_letter.get",
  "dead_letter.redeliver",
  "rpc.discover",
  "event.import",
  "blob.load",
  "blob.store",
  "blob.verify",
  "key.create",
  "key.list",
  "key.revoke",
  "audit.list",
  "projection.list",
  "projection.rebuild",
  "projection.verify",
  "seal.list",
  "seal.restart",
  "service.list",
  "system.info",
]);
