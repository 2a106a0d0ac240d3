"""The documents of what people apply, one per version, and of what is paused."""


def specification(event, data):
    definition = data["definition"]
    return {**common(event, data), "source": data.get("source"), "paused": None,
            "description": definition.get("description", ""),
            **{name: definition[name]
               for name in ("inputs", "outputs", "executable", "queue", "retry", "timeouts")}}


def type_(event, data):
    return {**common(event, data), "description": data.get("description", ""),
            "type": data["definition"]}


def pipeline(event, data):
    definition = data["definition"]
    return {**common(event, data), "description": definition.get("description", ""),
            **{name: definition[name] for name in ("params", "tasks", "outputs")}}


def policy(event, data):
    definition = data["definition"]
    return {**common(event, data), "description": definition.get("description", ""),
            "limits": definition.get("limits", {}), "ageing": definition.get("ageing"),
            "fair_share": definition.get("fair_share")}


def common(event, data):
    return {"id": event.id, "namespace": event.namespace, "created_at": event.at,
            "stream_seq": event.seq,
            **{name: data[name] for name in ("name", "version", "digest")}}


def pause(event):
    paused = event.data if event.type.endswith("Paused") else None
    return {"id": event.id, "kind": event.aggregate, "namespace": event.namespace,
            "paused": paused, "stream_seq": event.seq}


APPLIED = {"SpecificationApplied": ("specifications", specification),
           "TypeApplied": ("types", type_),
           "PipelineApplied": ("pipelines", pipeline),
           "PolicyApplied": ("policies", policy)}
PAUSES = ("SpecificationPaused", "SpecificationResumed", "NamespacePaused", "NamespaceResumed")
