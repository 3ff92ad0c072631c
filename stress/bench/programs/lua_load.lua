-- An allocation-heavy program in Lua: ROUNDS of everyday work.

local state = 1

-- A generator of our own, the same in every version of Lua.
local function chance(limit)
	state = (state * 1103515245 + 12345) % 2147483648
	return state // 65536 % limit
end

-- Short strings are interned, long ones are not.
local function strings(number)
	local parts, total = {}, 0
	for i = 1, number do
		parts[i] = ("%d:%s"):format(i, ("ab"):rep(chance(40)))
	end
	local text = table.concat(parts, ",")
	for word in text:gmatch("[^,]+") do
		total = total + #word:upper():reverse()
	end
	return total
end

-- Records in arrays and by name, sorted and thrown away.
local function records(number)
	local all, by_name = {}, {}
	for i = 1, number do
		local name = "name " .. chance(number)
		local one = { id = i, name = name, tags = {} }
		for k = 1, chance(6) do
			one.tags[k] = chance(100)
		end
		all[i] = one
		by_name[name] = one
	end
	table.sort(all, function(a, b)
		if a.name ~= b.name then
			return a.name < b.name
		end
		return a.id < b.id
	end)
	local total = 0
	for _, one in pairs(by_name) do
		total = total + #one.tags
	end
	return total + all[1].id
end

local function tree(depth)
	if depth == 0 then
		return {}
	end
	return { tree(depth - 1), tree(depth - 1) }
end

local function count(node)
	return node[1] and count(node[1]) + count(node[2]) or 1
end

local function closures(number)
	local chain = function(x) return x end
	for i = 1, number do
		local inner = i % 150 == 0 and function(x) return x end or chain
		chain = function(x) return inner(x) + i % 2 end
	end
	return chain(0)
end

local checked = 0
for _ = 1, tonumber(arg[1]) do
	checked = checked + strings(30000) + records(20000)
	checked = checked + count(tree(15)) + closures(60000)
end
print(checked)
