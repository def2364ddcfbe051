-- A key's whole life: activations, served keys, application licences, and the marks that reports show. The
-- journal's format is raised: it has events that the second version does not understand, and replicas of that
-- version stop serving here.
update shards set format = 3 where format < 3;
