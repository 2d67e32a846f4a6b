-- Whether a passage carried a pseudonym, not which: so that a reader can recompute who entered without one.
CREATE OR REPLACE VIEW gatepulse.passages SQL SECURITY DEFINER AS
SELECT
    kind, device, epoch, seq, ts, entrance, direction, outcome, category, reason, temperature, health,
    credential != '' AS identified
FROM gatepulse_store.passages FINAL;
