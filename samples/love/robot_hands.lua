-- Plays by itself, for CI: a move when it is its turn and it has thought a little, and chat that it types letter by letter
-- meanwhile, as a person with a keyboard would.
local hands = {}
hands.__index = hands

local phrases = {
  "hello everybody", "well played", "this is a rather long line, so that it has to be wrapped in the chat and not run out of it",
  "one more game?", "äöü ß – and a word without any spaces: Donaudampfschifffahrtsgesellschaftskapitänswitwe",
}

function hands.new(client, seconds_to_think)
  return setmetatable({client = client, think = seconds_to_think, waited = 0, said = 0, letter = 0, typed_moves = 0, moves = 0}, hands)
end

local function best_suit(hand)
  local counts, best = {[0] = 0, 0, 0, 0}, 0
  for _, c in ipairs(hand) do counts[math.floor(c / 13)] = counts[math.floor(c / 13)] + 1 end
  for s = 1, 3 do
    if counts[s] > counts[best] then best = s end
  end
  return best
end

function hands:move()
  local c = self.client
  if c.view.choosing then return c:choose(best_suit(c.hand)) end
  local eight
  for _, code in ipairs(c.hand) do
    if c:fits(code) then
      if code % 13 ~= 7 then return c:play(code) end
      eight = code
    end
  end
  if eight then return c:play(eight) end
  if c.may_draw then return c:draw() end
  c:pass()
end

-- `keyboard` takes letters, as love.textinput does, and "return".
function hands:update(dt, keyboard)
  local c = self.client
  if c.state == "playing" or c.state == "over" then
    local phrase = phrases[self.said % #phrases + 1]
    self.letter = self.letter + dt * 30
    while self.letter >= 1 do
      self.letter = self.letter - 1
      self.at = (self.at or 0) + 1
      local from, to = require("utf8").offset(phrase, self.at), require("utf8").offset(phrase, self.at + 1)
      if from and to then
        keyboard(phrase:sub(from, to - 1))
      elseif c.state == "playing" then
        keyboard("return")
        self.at, self.said, self.letter = 0, self.said + 1, -20
      end
    end
  end
  self.waited = self.waited + dt
  if not c:my_turn() or not c.sure then
    self.waited = 0
  elseif self.waited >= self.think then
    self.waited = -1  -- until the answer has come, or was lost
    self.moves = self.moves + 1
    if (self.at or 0) > 0 then self.typed_moves = self.typed_moves + 1 end
    self:move()
  end
end

return hands
