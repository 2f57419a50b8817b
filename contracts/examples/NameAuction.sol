// SPDX-License-Identifier: Apache-2.0
// Names sold in sealed-bid second-price auctions: bids are committed as hashes, revealed later, refunds are withdrawn.
pragma solidity ^0.8.30;

/// @title Sealed-bid second-price (Vickrey) auctions of names
/// @notice 1. `open` starts the auction of a free name.
///         2. Until `commitEnd` anybody may `commit` to a bid, with a deposit of at least the bid. A deposit above the bid hides it.
///         3. Until `revealEnd` bidders `reveal` amount and salt. A losing deposit can be withdrawn at once.
///         4. `settle` gives the name to the highest bidder, who pays the second highest bid or the reserve price.
///         A deposit that was never revealed comes back by `reclaim`, less a twentieth: else the sealed bid would be a free option.
/// @dev    Money leaves only by `withdraw`, to the caller, after its balance here was set to zero.
contract NameAuction {
    struct Auction {
        uint64 commitEnd; // block times, unix seconds; 0: no auction
        uint64 revealEnd;
        address leader; // highest revealed bid so far, the first of equal ones
        uint256 highest;
        uint256 second;
        uint256 leaderDeposit;
    }

    struct Commitment {
        bytes32 hash;
        uint256 deposit;
        uint64 revealEnd; // of the auction it belongs to: a name that found no bidder is auctioned again
    }

    /// @notice Part of an unrevealed deposit that is forfeited: one in this many.
    uint256 public constant FORFEIT_DIVISOR = 20;

    address public immutable beneficiary;
    uint64 public immutable commitSeconds;
    uint64 public immutable revealSeconds;
    uint256 public immutable reservePrice;

    mapping(bytes32 nameHash => Auction) public auctions;
    mapping(bytes32 nameHash => mapping(address bidder => Commitment)) public commitments;
    /// @notice Who holds a name; zero: nobody.
    mapping(bytes32 nameHash => address) public ownerOf;
    /// @notice What the holder lets the name stand for.
    mapping(bytes32 nameHash => address) public addressOf;
    /// @notice Wei that an account may withdraw.
    mapping(address account => uint256) public refunds;

    event Opened(bytes32 indexed nameHash, string name, uint64 commitEnd, uint64 revealEnd);
    event Committed(bytes32 indexed nameHash, address indexed bidder, uint256 deposit);
    event Revealed(bytes32 indexed nameHash, address indexed bidder, uint256 amount);
    event Sold(bytes32 indexed nameHash, address indexed owner, uint256 price);
    event Unsold(bytes32 indexed nameHash);
    event Forfeited(bytes32 indexed nameHash, address indexed bidder, uint256 amount);
    event AddressChanged(bytes32 indexed nameHash, address indexed to);
    event Withdrawn(address indexed account, uint256 amount);

    error InvalidName(string name);
    error NameTaken(bytes32 nameHash, address owner);
    error AuctionRunning(bytes32 nameHash, uint64 revealEnd);
    error NoAuction(bytes32 nameHash);
    /// @notice The call belongs to another phase; it is possible from `from` until before `until`.
    error WrongPhase(uint64 nowTime, uint64 from, uint64 until);
    error AlreadyCommitted(bytes32 nameHash, address bidder);
    /// @notice Nothing is committed, or it was revealed or reclaimed already.
    error NothingCommitted(bytes32 nameHash, address bidder);
    error CommitmentMismatch(bytes32 expected, bytes32 given);
    error DepositTooSmall(uint256 deposit, uint256 bid);
    error NotNameOwner(bytes32 nameHash, address caller);
    error NothingToWithdraw(address account);
    error TransferFailed(address to, uint256 amount);

    constructor(address beneficiary_, uint64 commitSeconds_, uint64 revealSeconds_, uint256 reservePrice_) {
        beneficiary = beneficiary_;
        commitSeconds = commitSeconds_;
        revealSeconds = revealSeconds_;
        reservePrice = reservePrice_;
    }

    /// @notice Starts the auction of a free name: 3 to 32 of a-z, 0-9 and inner hyphens.
    function open(string calldata name) external returns (bytes32 nameHash) {
        if (!_isValid(bytes(name))) revert InvalidName(name);
        nameHash = keccak256(bytes(name));
        if (ownerOf[nameHash] != address(0)) revert NameTaken(nameHash, ownerOf[nameHash]);
        Auction storage auction = auctions[nameHash];
        if (auction.revealEnd != 0) revert AuctionRunning(nameHash, auction.revealEnd);
        auction.commitEnd = uint64(block.timestamp) + commitSeconds;
        auction.revealEnd = auction.commitEnd + revealSeconds;
        emit Opened(nameHash, name, auction.commitEnd, auction.revealEnd);
    }

    /// @notice What a bidder commits to. Compute it off-chain with a random salt: asking a node tells it the bid.
    function commitmentOf(bytes32 nameHash, address bidder, uint256 amount, bytes32 salt) public view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), nameHash, bidder, amount, salt));
    }

    /// @notice Places a sealed bid. The value sent is the deposit.
    function commit(bytes32 nameHash, bytes32 commitment) external payable {
        Auction storage auction = _auction(nameHash);
        _requirePhase(0, auction.commitEnd);
        Commitment storage mine = commitments[nameHash][msg.sender];
        if (mine.deposit != 0) {
            // One that was left from an earlier auction of this name is turned into a refund here.
            if (mine.revealEnd == auction.revealEnd) revert AlreadyCommitted(nameHash, msg.sender);
            _reclaim(nameHash, msg.sender, mine);
        }
        if (msg.value == 0) revert DepositTooSmall(0, 1);
        commitments[nameHash][msg.sender] = Commitment(commitment, msg.value, auction.revealEnd);
        emit Committed(nameHash, msg.sender, msg.value);
    }

    /// @notice Opens the caller's sealed bid. A bid below the reserve price counts as none; its deposit can be withdrawn.
    function reveal(bytes32 nameHash, uint256 amount, bytes32 salt) external {
        Auction storage auction = _auction(nameHash);
        _requirePhase(auction.commitEnd, auction.revealEnd);
        Commitment memory mine = commitments[nameHash][msg.sender];
        if (mine.deposit == 0 || mine.revealEnd != auction.revealEnd) revert NothingCommitted(nameHash, msg.sender);
        bytes32 given = commitmentOf(nameHash, msg.sender, amount, salt);
        if (given != mine.hash) revert CommitmentMismatch(mine.hash, given);
        if (mine.deposit < amount) revert DepositTooSmall(mine.deposit, amount);
        delete commitments[nameHash][msg.sender];

        if (amount >= reservePrice && amount > auction.highest) {
            if (auction.leader != address(0)) refunds[auction.leader] += auction.leaderDeposit;
            auction.second = auction.highest;
            auction.leader = msg.sender;
            auction.highest = amount;
            auction.leaderDeposit = mine.deposit;
        } else {
            if (amount > auction.second) auction.second = amount;
            refunds[msg.sender] += mine.deposit;
        }
        emit Revealed(nameHash, msg.sender, amount);
    }

    /// @notice Ends an auction whose time is over. Anybody may call it.
    function settle(bytes32 nameHash) external {
        Auction memory auction = _auction(nameHash);
        _requirePhase(auction.revealEnd, type(uint64).max);
        delete auctions[nameHash];
        if (auction.leader == address(0)) {
            emit Unsold(nameHash);
            return;
        }
        uint256 price = auction.second > reservePrice ? auction.second : reservePrice;
        ownerOf[nameHash] = auction.leader;
        refunds[auction.leader] += auction.leaderDeposit - price;
        refunds[beneficiary] += price;
        emit Sold(nameHash, auction.leader, price);
    }

    /// @notice Turns a deposit whose bid was never revealed into a refund, less the forfeit.
    function reclaim(bytes32 nameHash) external {
        Commitment storage mine = commitments[nameHash][msg.sender];
        if (mine.deposit == 0) revert NothingCommitted(nameHash, msg.sender);
        _requirePhase(mine.revealEnd, type(uint64).max);
        _reclaim(nameHash, msg.sender, mine);
    }

    /// @notice Pays out everything the caller has to get back.
    function withdraw() external returns (uint256 amount) {
        amount = refunds[msg.sender];
        if (amount == 0) revert NothingToWithdraw(msg.sender);
        refunds[msg.sender] = 0; // before the call: who calls back in finds nothing
        emit Withdrawn(msg.sender, amount);
        (bool sent,) = payable(msg.sender).call{value: amount}("");
        if (!sent) revert TransferFailed(msg.sender, amount);
    }

    function setAddress(bytes32 nameHash, address to) external {
        if (ownerOf[nameHash] != msg.sender) revert NotNameOwner(nameHash, msg.sender);
        addressOf[nameHash] = to;
        emit AddressChanged(nameHash, to);
    }

    function _reclaim(bytes32 nameHash, address bidder, Commitment storage commitment) private {
        uint256 deposit = commitment.deposit;
        delete commitments[nameHash][bidder];
        uint256 forfeit = deposit / FORFEIT_DIVISOR;
        refunds[bidder] += deposit - forfeit;
        refunds[beneficiary] += forfeit;
        emit Forfeited(nameHash, bidder, forfeit);
    }

    function _auction(bytes32 nameHash) private view returns (Auction storage auction) {
        auction = auctions[nameHash];
        if (auction.revealEnd == 0) revert NoAuction(nameHash);
    }

    function _requirePhase(uint64 from, uint64 until) private view {
        uint64 nowTime = uint64(block.timestamp);
        if (nowTime < from || nowTime >= until) revert WrongPhase(nowTime, from, until);
    }

    function _isValid(bytes memory name) private pure returns (bool) {
        uint256 length = name.length;
        if (length < 3 || length > 32 || name[0] == "-" || name[length - 1] == "-") return false;
        for (uint256 i = 0; i < length; ++i) {
            bytes1 c = name[i];
            if ((c < "a" || c > "z") && (c < "0" || c > "9") && c != "-") return false;
        }
        return true;
    }
}
