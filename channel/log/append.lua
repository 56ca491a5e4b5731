#!lua name=dcx
-- KEYS: 1 stream, 2 l0 (leaf hashes), 3 meta {size,fence}, 4 idem (payload hash -> index), 5.. one per blob
-- ARGV: fence, expected_size, n, n_blobs, then n * (record, leaf_hash32, idem_key), then n_blobs * blob
redis.register_function('dcx_append', function(K, A)
  local m = redis.call('HMGET', K[3], 'size', 'fence')
  local size, fence = tonumber(m[1] or '0'), m[2] or '0'
  if fence ~= A[1] then return redis.error_reply('FENCED ' .. fence) end
  local expected, n, nb = tonumber(A[2]), tonumber(A[3]), tonumber(A[4])
  if not expected or not n or not nb or n < 1 or n > 256 or nb < 0
     or #A ~= 4 + 3 * n + nb or #K ~= 4 + nb then return redis.error_reply('ARGC') end
  if size ~= expected then return {'SIZE', size} end
  if redis.call('STRLEN', K[2]) ~= 32 * size then return redis.error_reply('L0LEN') end
  if redis.call('XLEN', K[1]) ~= size then return redis.error_reply('XLEN') end
  local total, seen = 0, {}
  for i = 0, n - 1 do                      -- every check before the first write
    local rec, leaf, k = A[5 + 3 * i], A[6 + 3 * i], A[7 + 3 * i]
    if #leaf ~= 32 or #rec == 0 or #rec > 65535 then return redis.error_reply('ARG') end
    total = total + #rec
    if k ~= '' then
      local d = redis.call('HGET', K[4], k)
      if d then return {'DUP', i, tonumber(d)} end
      if seen[k] then return {'DUP', i, size + seen[k]} end
      seen[k] = i
    end
  end
  for j = 1, nb do
    local blob, had = A[4 + 3 * n + j], redis.call('STRLEN', K[4 + j])
    if #blob == 0 or (had ~= 0 and had ~= #blob) then return redis.error_reply('BLOB ' .. j) end
    total = total + #blob
  end
  if total > 4194304 then return redis.error_reply('BATCH') end
  for j = 1, nb do redis.call('SET', K[4 + j], A[4 + 3 * n + j], 'NX') end
  for i = 0, n - 1 do
    redis.call('XADD', K[1], string.format('%.0f-0', size + i + 1), 'r', A[5 + 3 * i])
    redis.call('SETRANGE', K[2], 32 * (size + i), A[6 + 3 * i])
    if A[7 + 3 * i] ~= '' then redis.call('HSET', K[4], A[7 + 3 * i], string.format('%.0f', size + i)) end
  end
  redis.call('HSET', K[3], 'size', string.format('%.0f', size + n))
  return {'OK', size + n}
end)
-- A place whose record no copy holds: the leaf hash and an empty record. For recovery of a side log, below the journal's size.
-- KEYS: 1 stream, 2 l0, 3 meta. ARGV: fence, expected_size, then the leaf hashes
redis.register_function('dcx_lost', function(K, A)
  local m = redis.call('HMGET', K[3], 'size', 'fence')
  local size, fence = tonumber(m[1] or '0'), m[2] or '0'
  if fence ~= A[1] then return redis.error_reply('FENCED ' .. fence) end
  local expected, n = tonumber(A[2]), #A - 2
  if not expected or n < 1 or n > 256 or #K ~= 3 then return redis.error_reply('ARGC') end
  if size ~= expected then return {'SIZE', size} end
  if redis.call('STRLEN', K[2]) ~= 32 * size then return redis.error_reply('L0LEN') end
  if redis.call('XLEN', K[1]) ~= size then return redis.error_reply('XLEN') end
  for i = 1, n do
    if #A[2 + i] ~= 32 then return redis.error_reply('ARG') end
  end
  for i = 1, n do
    redis.call('XADD', K[1], string.format('%.0f-0', size + i), 'r', '')
    redis.call('SETRANGE', K[2], 32 * (size + i - 1), A[2 + i])
  end
  redis.call('HSET', K[3], 'size', string.format('%.0f', size + n))
  return {'OK', size + n}
end)
-- A note: newest if the caller's view of the newest still holds, and among the kept ones. One without the other party's
-- lines never takes the place of one with them.
-- KEYS: 1 meta, 2 newest note, 3 kept notes. ARGV: fence, the newest's field as known, as it becomes ('' stays), field of
-- the kept ('' is not kept), note, then its marks
redis.register_function('dcx_note', function(K, A)
  local fence = redis.call('HGET', K[1], 'fence') or '0'
  if fence ~= A[1] then return redis.error_reply('FENCED ' .. fence) end
  if #A < 5 or #K ~= 3 or #A[5] == 0 then return redis.error_reply('ARGC') end
  local newest = redis.call('HGET', K[3], 'newest') or ''
  if newest ~= A[2] then return {'NEWEST', newest} end
  if A[3] ~= '' then
    redis.call('SET', K[2], A[5])
    redis.call('HSET', K[3], 'newest', A[3])
  end
  if A[4] ~= '' then
    local cosigned = A[4] .. '/cosigned'
    local has = false
    for i = 6, #A do has = has or A[i] == 'cosigned' end
    if has or redis.call('HEXISTS', K[3], cosigned) == 0 then redis.call('HSET', K[3], A[4], A[5]) end
    for i = 6, #A do redis.call('HSET', K[3], A[4] .. '/' .. A[i], '1') end
  end
  return {'OK', 0}
end)
